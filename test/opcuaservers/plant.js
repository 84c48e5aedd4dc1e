// A plant on node-opcua: two lines with two presses each, for the tests of the gateway.
//
//   node plant.js PORT FOLDER
//
// FOLDER keeps the server's certificate. Each press has the variables Counter (counts up every 20 ms, from 1 in each life of the
// server), Temperature (with a range and a unit, 21.5), Model (a text), Big (Int64), Setpoint (can be written) and Shape (an array),
// the object Motor with the method Add (two Doubles, gives their sum and a text) and an alarm High above 100 of Setpoint.
// It prints "ready" when it listens.
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { standardUnits } = require("node-opcua-data-access");
const { DataType, VariantArrayType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const [port, folder] = process.argv.slice(2);
const counterPause = 20;

async function main() {
  const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: Number(port), resourcePath: "/plant", hostname: "127.0.0.1", alternateHostname: ["127.0.0.1"],
    serverCertificateManager: certificates, userCertificateManager: certificates,
    buildInfo: { productName: "plant" }, serverInfo: { applicationUri: "urn:plant" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("http://example.com/plant");
  space.installAlarmsAndConditionsService();
  for (const line of ["Line1", "Line2"]) {
    const l = own.addObject({ organizedBy: space.rootFolder.objects, browseName: line, nodeId: `s=${line}` });
    for (const name of ["PressA", "PressB"]) press(space, own, l, `${line}.${name}`, name);
  }
  await server.start();
  console.log("ready");
}

function press(space, own, line, id, name) {
  const p = own.addObject({
    organizedBy: line, browseName: name, nodeId: `s=${id}`, eventNotifier: 1, eventSourceOf: space.rootFolder.objects.server,
  });
  const variable = (browseName, dataType, value, more) => own.addVariable({
    componentOf: p, browseName, dataType, nodeId: `s=${id}.${browseName}`, value: { dataType, value }, minimumSamplingInterval: 10, ...more,
  });
  const counter = variable("Counter", "UInt32", 0);
  let n = 0;
  setInterval(() => counter.setValueFromSource({ dataType: "UInt32", value: ++n }), counterPause);
  own.addAnalogDataItem({
    componentOf: p, browseName: "Temperature", dataType: "Double", nodeId: `s=${id}.Temperature`, value: { dataType: "Double", value: 21.5 },
    engineeringUnitsRange: { low: -10, high: 150 }, engineeringUnits: standardUnits.degree_celsius,
  });
  variable("Model", "String", "P-200 é");
  variable("Big", "Int64", null, { value: { dataType: "Int64", arrayType: VariantArrayType.Scalar, value: [2097152, 1] } }); // 2^53 + 1
  variable("Shape", "Double", new Float64Array([1, 2.5]), {
    valueRank: 1, arrayDimensions: [0], value: { dataType: "Double", arrayType: VariantArrayType.Array, value: new Float64Array([1, 2.5]) },
  });
  const setpoint = own.addVariable({ componentOf: p, eventSourceOf: p, browseName: "Setpoint", dataType: "Double", nodeId: `s=${id}.Setpoint`, minimumSamplingInterval: 10 });
  setpoint.setValueFromSource({ dataType: "Double", value: 50 });
  own.instantiateExclusiveLimitAlarm("ExclusiveLevelAlarmType", {
    componentOf: p, browseName: "High", conditionSource: setpoint, inputNode: setpoint, highLimit: 100, lowLimit: -100, conditionName: "High",
  });
  const motor = own.addObject({ componentOf: p, browseName: "Motor", nodeId: `s=${id}.Motor` });
  const add = own.addMethod(motor, {
    browseName: "Add", nodeId: `s=${id}.Motor.Add`,
    inputArguments: ["A", "B"].map((a) => ({ name: a, dataType: DataType.Double })),
    outputArguments: [{ name: "Sum", dataType: DataType.Double }, { name: "Note", dataType: DataType.String }],
  });
  add.bindMethod((inputs, _context, done) => done(null, {
    statusCode: StatusCodes.Good,
    outputArguments: [{ dataType: "Double", value: inputs[0].value + inputs[1].value }, { dataType: "String", value: "added" }],
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
