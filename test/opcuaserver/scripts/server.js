// An OPC UA server on node-opcua for tests. Its one argument is a JSON object:
//   port, folder        where it listens, and where its certificates lie
//   first               a namespace that is registered before that of the test, to change the order
//   counters, every     how many counters, and after how many milliseconds each becomes one more
//   strict              whether it lets in only clients whose certificate lies in trusted/certs of the folder
//   person              the file of the certificate of the only one who may log in by certificate; then nobody may be anonymous
//   loads               folders of counters, {name, machines, counters}: those of the folder that the variable Load names become one more, too
// Environment: NODE_PATH has node-opcua.
"use strict";
const fs = require("fs");
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { Variant, DataType, VariantArrayType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { SecurityPolicy, MessageSecurityMode } = require("node-opcua-secure-channel");
const { makeEUInformation } = require("node-opcua-data-access");
const { DataValue } = require("node-opcua-data-value");

const settings = JSON.parse(process.argv[2]);
const policies = [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss];

// Values of every built-in type, as scalar, as array and as matrix where that is not too strange.
const guid = "72962b91-fa75-4ae6-8d28-b404dc7daf63";
const samples = {
  Boolean: [true, false], SByte: [-128, 127], Byte: [0, 255], Int16: [-32768, 32767], UInt16: [0, 65535],
  Int32: [-2147483648, 2147483647], UInt32: [0, 4294967295],
  Int64: [[0x80000000, 0], [0x7fffffff, 0xffffffff]], UInt64: [[0, 1], [0xffffffff, 0xffffffff]],
  Float: [1.5, -0.25], Double: [3.141592653589793, 1e300], String: ["Grüße", ""],
  DateTime: [new Date("2026-01-31T12:34:56.789Z"), new Date("1999-12-31T23:59:59Z")],
  Guid: [guid, "00000000-0000-0000-0000-000000000001"],
  ByteString: [Buffer.from([0, 1, 2, 255]), Buffer.from("x")], XmlElement: ["<a>b</a>", "<c/>"],
  NodeId: ["ns=0;i=85", "ns=0;i=2253"], StatusCode: [StatusCodes.Good, StatusCodes.BadOutOfService],
  QualifiedName: [{ namespaceIndex: 0, name: "Name" }, { namespaceIndex: 0, name: "Other" }],
  LocalizedText: [{ locale: "de", text: "Öl" }, { locale: "en", text: "oil" }],
};

async function main() {
  const manager = new OPCUACertificateManager({ rootFolder: settings.folder, automaticallyAcceptUnknownCertificate: true });
  await manager.initialize();
  if (settings.strict) manager.checkCertificate = checkTrusted;
  const users = new OPCUACertificateManager({ rootFolder: settings.folder + "-users", automaticallyAcceptUnknownCertificate: !settings.person });
  await users.initialize();
  if (settings.person) await users.trustCertificate(fs.readFileSync(settings.person));
  const server = new OPCUAServer({
    port: settings.port, host: "127.0.0.1", resourcePath: "/", hostname: "127.0.0.1", alternateHostname: "127.0.0.1",
    serverInfo: { applicationUri: "urn:fairlead:test:node-opcua" },
    serverCertificateManager: manager, userCertificateManager: users,
    securityPolicies: policies,
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: !settings.person,
    userManager: { isValidUser: (name, password) => name === "worker" && password === "pässword" },
    maxConnectionsPerEndpoint: 100,
    serverCapabilities: { minSupportedSampleRate: 0, maxSessions: 100, maxMonitoredItems: 100000, maxMonitoredItemsQueueSize: 100000, maxSubscriptions: 100,
      maxSubscriptionsPerSession: 20, operationLimits: { maxNodesPerRead: 300, maxNodesPerBrowse: 100, maxMonitoredItemsPerCall: 200 } },
    isAuditing: false, disableDiscovery: true,
  });
  await server.initialize();
  build(server.engine.addressSpace);
  await server.start();
  process.on("SIGTERM", () => server.shutdown(100).then(() => process.exit(0)));
}

// Lets in only clients whose certificate is there now. The manager looks at its folder only from time to time, and one that it has refused
// it goes on refusing.
function checkTrusted(chain, callback) {
  const folder = settings.folder + "/trusted/certs";
  const own = Array.isArray(chain) ? chain[0] : chain;
  const known = fs.existsSync(folder) && fs.readdirSync(folder).some((name) => fs.readFileSync(folder + "/" + name).equals(own));
  const status = known ? StatusCodes.Good : StatusCodes.BadCertificateUntrusted;
  return callback ? callback(null, status) : Promise.resolve(status);
}

function build(space) {
  if (settings.first) space.registerNamespace(settings.first);
  const ns = space.registerNamespace("urn:fairlead:test");
  const objects = space.rootFolder.objects;
  const line = ns.addObject({ organizedBy: objects, browseName: "Line1", nodeId: "s=Line1" });
  for (let i = 1; i <= (settings.counters || 1); i++) addCounter(ns, line, i);
  addTypes(ns, objects);
  addStructure(space, ns, objects);
  addAnalog(ns, line);
  addMethods(space, ns, objects);
  addAlarm(space, ns, line);
  if (settings.loads) addLoads(ns, objects);
}

function addCounter(ns, line, i) {
  const press = ns.addObject({ componentOf: line, browseName: "Press" + i, nodeId: "s=Press" + i });
  const node = ns.addVariable({ componentOf: press, browseName: "Counter", nodeId: "s=Press" + i + ".Counter", dataType: "UInt32", minimumSamplingInterval: 0,
    accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" });
  let n = 0;
  const set = () => node.setValueFromSource({ dataType: DataType.UInt32, value: ++n });
  set();
  setInterval(set, settings.every || 100);
}

function addLoads(ns, objects) {
  const load = ns.addVariable({ organizedBy: objects, browseName: "Load", nodeId: "s=Load", dataType: "String",
    accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite" });
  load.setValueFromSource({ dataType: DataType.String, value: "" });
  const folders = {};
  for (const { name, machines, counters } of settings.loads) {
    const folder = ns.addFolder(objects, { browseName: name, nodeId: "s=" + name });
    const nodes = [];
    for (let m = 1; m <= machines; m++) {
      const id = "s=" + name + ".Machine" + m;
      const machine = ns.addObject({ componentOf: folder, browseName: "Machine" + m, nodeId: id });
      for (let c = 1; c <= counters; c++) {
        const node = ns.addVariable({ componentOf: machine, browseName: "Counter" + c, nodeId: id + ".Counter" + c, dataType: "UInt32",
          minimumSamplingInterval: 0, accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" });
        node.setValueFromSource({ dataType: DataType.UInt32, value: 0 });
        nodes.push(node);
      }
    }
    folders[name] = { nodes, n: 0 };
  }
  // What a busy machine has delayed is made up for: so many changes come in a second.
  let changes = 0;
  const began = Date.now();
  setInterval(() => {
    for (const due = Math.floor((Date.now() - began) / settings.every); changes < due; changes++) {
      const folder = folders[load.readValue().value.value];
      if (!folder) continue;
      folder.n++;
      for (const node of folder.nodes) node.setValueFromSource({ dataType: DataType.UInt32, value: folder.n });
    }
  }, settings.every);
}

function addTypes(ns, objects) {
  const folder = ns.addFolder(objects, { browseName: "Types", nodeId: "s=Types" });
  for (const [name, [a, b]] of Object.entries(samples)) {
    const dataType = DataType[name];
    const add = (suffix, valueRank, variant) => {
      const node = ns.addVariable({ componentOf: folder, browseName: name + suffix, nodeId: "s=Types." + name + suffix, dataType: name, valueRank,
        accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite", arrayDimensions: valueRank > 1 ? [0, 0] : undefined });
      node.setValueFromSource(variant);
    };
    const fix = (v) => (name === "NodeId" ? require("node-opcua-nodeid").resolveNodeId(v) : v);
    add("", -1, { dataType, arrayType: VariantArrayType.Scalar, value: fix(a) });
    add("Array", 1, { dataType, arrayType: VariantArrayType.Array, value: [fix(a), fix(b)] });
    add("Matrix", 2, { dataType, arrayType: VariantArrayType.Matrix, dimensions: [2, 2], value: [fix(a), fix(b), fix(b), fix(a)] });
  }
  const any = ns.addVariable({ componentOf: folder, browseName: "Any", nodeId: "s=Types.Any", dataType: "BaseDataType", valueRank: -2,
    accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite" });
  any.setValueFromSource({ dataType: DataType.Double, value: 1 });
}

// A structure of the server's own, that clients can only read by its definition.
function addStructure(space, ns, objects) {
  const range = space.constructExtensionObject(space.findDataType("Range"), { low: -5, high: 5.5 });
  const node = ns.addVariable({ organizedBy: objects, browseName: "Range", nodeId: "s=Range", dataType: "Range",
    accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite" });
  node.setValueFromSource({ dataType: DataType.ExtensionObject, value: range });
}

function addAnalog(ns, line) {
  ns.addAnalogDataItem({ componentOf: line, browseName: "Temperature", nodeId: "s=Temperature", dataType: "Double",
    engineeringUnitsRange: { low: 0, high: 200 }, engineeringUnits: makeEUInformation("CEL", "°C", "degree Celsius"),
    accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite",
    value: { dataType: DataType.Double, value: 20 } });
}

function addMethods(space, ns, objects) {
  const machine = ns.addObject({ organizedBy: objects, browseName: "Machine", nodeId: "s=Machine", eventNotifier: 1 });
  const argument = (name, dataType) => ({ name, dataType, description: "" });
  const add = ns.addMethod(machine, { browseName: "Add", nodeId: "s=Machine.Add",
    inputArguments: [argument("a", DataType.Int32), argument("b", DataType.Int32)], outputArguments: [argument("sum", DataType.Int32)] });
  add.bindMethod((inputs, context, callback) => callback(null, { statusCode: StatusCodes.Good,
    outputArguments: [{ dataType: DataType.Int32, value: inputs[0].value + inputs[1].value }] }));
  const emit = ns.addMethod(machine, { browseName: "Emit", nodeId: "s=Machine.Emit",
    inputArguments: [argument("message", DataType.String), argument("severity", DataType.UInt16)], outputArguments: [] });
  const batch = ns.addEventType({ browseName: "BatchEventType", nodeId: "s=BatchEventType", subtypeOf: "BaseEventType", isAbstract: false });
  ns.addVariable({ propertyOf: batch, browseName: "Batch", nodeId: "s=BatchEventType.Batch", dataType: "Int64", modellingRule: "Mandatory" });
  emit.bindMethod((inputs, context, callback) => {
    machine.raiseEvent(batch, { batch: { dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value: [0x200000, 1] }, message: { dataType: DataType.LocalizedText, value: { text: inputs[0].value } },
      severity: { dataType: DataType.UInt16, value: inputs[1].value } });
    callback(null, { statusCode: StatusCodes.Good, outputArguments: [] });
  });
}

// An alarm that is active while Level is above 100.
function addAlarm(space, ns, line) {
  const boiler = ns.addObject({ componentOf: line, browseName: "Boiler", nodeId: "s=Boiler", notifierOf: space.rootFolder.objects.server, eventNotifier: 1 });
  const level = ns.addVariable({ componentOf: boiler, browseName: "Level", nodeId: "s=Boiler.Level", dataType: "Double",
    accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite", eventSourceOf: boiler });
  level.setValueFromSource({ dataType: DataType.Double, value: 50 });
  ns.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", { componentOf: boiler, conditionSource: level, browseName: "LevelAlarm",
    conditionName: "LevelAlarm", inputNode: level, highHighLimit: 200, highLimit: 100, lowLimit: 10, lowLowLimit: 1 });
}

main().catch((error) => { console.error(error); process.exit(1); });
