"""A pymodbus server: FRAMING PORT."""

import sys

import pymodbus_serial  # noqa: F401
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.framer.ascii_framer import ModbusAsciiFramer
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.framer.socket_framer import ModbusSocketFramer
from pymodbus.server import StartTcpServer

framer = {"mbap": ModbusSocketFramer, "rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}[sys.argv[1]]
context = ModbusSlaveContext(
    di=ModbusSequentialDataBlock(0, [i % 3 == 0 for i in range(500)]),
    co=ModbusSequentialDataBlock(0, [False] * 500),
    hr=ModbusSequentialDataBlock(0, [0] * 500),
    ir=ModbusSequentialDataBlock(0, [3 * i + 7 for i in range(500)]),
    zero_mode=True,
)
identity = ModbusDeviceIdentification()
identity.VendorName = "Example Vendor"
identity.ProductCode = "EX-100"
identity.MajorMinorRevision = "1.2.3"
identity.VendorUrl = "http://example.com"
identity.ProductName = "Example Product"
identity.ModelName = "Example Model"
StartTcpServer(
    context=ModbusServerContext(slaves=context, single=True),
    identity=identity,
    framer=framer,
    address=("127.0.0.1", int(sys.argv[2])),
    allow_reuse_address=True,
)
