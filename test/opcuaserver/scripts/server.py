"""An OPC UA server on asyncua for tests. Its one argument is a JSON object as that of server.js. PYTHONPATH has asyncua."""

import asyncio
import json
import os
import signal
import sys
import uuid
from datetime import datetime, timedelta, timezone

from asyncua import Server, ua
from asyncua.common.methods import uamethod
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.server.user_managers import UserManager
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

settings = json.loads(sys.argv[1])

T = ua.VariantType
GUID = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
SAMPLES = {
    T.Boolean: [True, False], T.SByte: [-128, 127], T.Byte: [0, 255], T.Int16: [-32768, 32767], T.UInt16: [0, 65535],
    T.Int32: [-(2**31), 2**31 - 1], T.UInt32: [0, 2**32 - 1], T.Int64: [-(2**63), 2**63 - 1], T.UInt64: [1, 2**64 - 1],
    T.Float: [1.5, -0.25], T.Double: [3.141592653589793, 1e300], T.String: ["Grüße", "b"],
    T.DateTime: [datetime(2026, 1, 31, 12, 34, 56, 789000), datetime(1999, 12, 31, 23, 59, 59)],
    T.Guid: [GUID, uuid.UUID(int=1)], T.ByteString: [bytes([0, 1, 2, 255]), b"x"], T.XmlElement: [ua.XmlElement("<a>b</a>"), ua.XmlElement("<c/>")],
    T.NodeId: [ua.NodeId(85), ua.NodeId(2253)], T.ExpandedNodeId: [ua.ExpandedNodeId(85), ua.ExpandedNodeId(2253)],
    T.StatusCode: [ua.StatusCode(0), ua.StatusCode(0x808D0000)],
    T.QualifiedName: [ua.QualifiedName("Name", 0), ua.QualifiedName("Other", 0)],
    T.LocalizedText: [ua.LocalizedText("Öl", "de"), ua.LocalizedText("oil", "en")],
    T.Variant: [ua.Variant(5, T.Int16), ua.Variant("x", T.String)],
    T.DataValue: [ua.DataValue(ua.Variant(5, T.Int16)), ua.DataValue(ua.Variant("x", T.String))],
}


class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is not None:
            known = username == "worker" and password == "pässword"
        elif settings.get("person"):
            with open(settings["person"], "rb") as f:
                known = certificate == f.read()
        else:
            known = True
        return User(role=UserRole.User) if known else None


async def main():
    server = Server(user_manager=Users())
    await server.init()
    await server.set_application_uri("urn:fairlead:test:asyncua")
    server.set_endpoint(f"opc.tcp://127.0.0.1:{settings['port']}/")
    await secure(server)
    if settings.get("first"):
        await server.register_namespace(settings["first"])
    space = await server.register_namespace("urn:fairlead:test")
    counters = await build(server, space)
    async with server:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        counting = asyncio.create_task(count(counters))
        await stop.wait()
        counting.cancel()


async def secure(server):
    os.makedirs(settings["folder"], exist_ok=True)
    key_file, certificate_file = (os.path.join(settings["folder"], name) for name in ("key.pem", "certificate.der"))
    if not os.path.exists(certificate_file):
        key = generate_private_key()
        certificate = generate_self_signed_app_certificate(
            key, "asyncua", {"organizationName": "Fairlead"}, [x509.UniformResourceIdentifier("urn:fairlead:test:asyncua")],
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], 365)
        with open(key_file, "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        with open(certificate_file, "wb") as f:
            f.write(certificate.public_bytes(serialization.Encoding.DER))
    if settings.get("strict"):
        server.set_certificate_validator(trusted)
    await server.load_certificate(certificate_file)
    await server.load_private_key(key_file)
    P = ua.SecurityPolicyType
    server.set_security_policy([
        P.NoSecurity, P.Basic256Sha256_Sign, P.Basic256Sha256_SignAndEncrypt, P.Aes128Sha256RsaOaep_Sign,
        P.Aes128Sha256RsaOaep_SignAndEncrypt, P.Aes256Sha256RsaPss_Sign, P.Aes256Sha256RsaPss_SignAndEncrypt])


async def trusted(certificate, application):
    """Lets in only clients whose certificate is there now."""
    folder = os.path.join(settings["folder"], "trusted", "certs")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as f:
            if f.read() == certificate.public_bytes(serialization.Encoding.DER):
                return
    raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


async def build(server, space):
    line = await server.nodes.objects.add_object(ua.NodeId("Line1", space), ua.QualifiedName("Line1", space))
    counters = []
    for i in range(1, settings.get("counters", 1) + 1):
        press = await line.add_object(ua.NodeId(f"Press{i}", space), ua.QualifiedName(f"Press{i}", space))
        counters.append(await press.add_variable(ua.NodeId(f"Press{i}.Counter", space), ua.QualifiedName("Counter", space), 1, T.UInt32))
    types = await server.nodes.objects.add_folder(ua.NodeId("Types", space), ua.QualifiedName("Types", space))
    for kind, (a, b) in SAMPLES.items():
        for suffix, value in (("", a), ("Array", [a, b]), ("Matrix", [[a, b], [b, a]])):
            name = kind.name + suffix
            node = await types.add_variable(ua.NodeId("Types." + name, space), ua.QualifiedName(name, space), value, kind,
                                            ua.NodeId(kind.value if kind.value != 24 else 24))
            await node.set_writable()
    await structure(server, space)
    await methods(server, space)
    return counters


async def structure(server, space):
    """A structure of the server's own, that clients can only read by its definition."""
    from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
    position = await new_struct(server, space, "Position", [new_struct_field("X", T.Double), new_struct_field("Name", T.String, optional=True)])
    await new_enum(server, space, "Colour", ["Red", "Green"])
    job = await new_struct(server, space, "Job", [
        new_struct_field("Id", T.Int64), new_struct_field("Tags", T.String, array=True),
        new_struct_field("Home", position[0]), new_struct_field("Path", position[0], array=True)])
    await server.load_data_type_definitions()
    value = ua.Job(Id=2**53 + 1, Tags=["a", "b"], Home=ua.Position(X=1.5, Name="home"), Path=[ua.Position(X=1.0), ua.Position(X=2.0, Name="end")])
    node = await server.nodes.objects.add_variable(ua.NodeId("Job", space), ua.QualifiedName("Job", space), value, datatype=job[0].nodeid)
    await node.set_writable()


async def methods(server, space):
    machine = await server.nodes.objects.add_object(ua.NodeId("Machine", space), ua.QualifiedName("Machine", space))

    @uamethod
    def add(parent, a, b):
        return ua.Variant(a + b, T.Int32)

    await machine.add_method(ua.NodeId("Machine.Add", space), ua.QualifiedName("Add", space), add, [T.Int32, T.Int32], [T.Int32])
    batch = await server.nodes.base_event_type.add_object_type(ua.NodeId("BatchEventType", space), ua.QualifiedName("BatchEventType", space))
    await batch.add_property(ua.NodeId("BatchEventType.Batch", space), ua.QualifiedName("Batch", space), 0, T.Int64)
    generator = await server.get_event_generator(batch, emitting_node=server.nodes.server)

    @uamethod
    async def emit(parent, message, severity):
        generator.event.Severity = severity
        generator.event.Batch = 2**53 + 1
        await generator.trigger(message=message)

    await machine.add_method(ua.NodeId("Machine.Emit", space), ua.QualifiedName("Emit", space), emit, [T.String, T.UInt16], [])


async def count(counters):
    n = 1
    while True:
        await asyncio.sleep(settings.get("every", 100) / 1000)
        n += 1
        for node in counters:
            await node.write_value(n, T.UInt32)


asyncio.run(main())
