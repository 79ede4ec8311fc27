"""A pymodbus client: FRAMING PORT. Calls every function that pymodbus knows and
prints a JSON line a call with what it wrote and read."""

import json
import sys

import pymodbus_serial  # noqa: F401
from pymodbus import bit_read_message as br
from pymodbus import bit_write_message as bw
from pymodbus import diag_message as dg
from pymodbus import file_message as fm
from pymodbus import mei_message as me
from pymodbus import other_message as om
from pymodbus import register_read_message as rr
from pymodbus import register_write_message as rw
from pymodbus.client import ModbusTcpClient
from pymodbus.framer.ascii_framer import ModbusAsciiFramer
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.framer.socket_framer import ModbusSocketFramer

UNIT = 3
# Some calls over RTU and ASCII take all of the time-out, because pymodbus waits
# for more octets than the answer has.
TIMEOUT = {"mbap": 60, "rtu": 4, "ascii": 2}[sys.argv[1]]
framer = {"mbap": ModbusSocketFramer, "rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer}[sys.argv[1]]
client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[2]), framer=framer, timeout=TIMEOUT, retries=0)
if not client.connect():
    sys.exit("no connection")


def call(function, request, address=0, quantity=0, wrote=None, read=None, sub=None, line=None, violations=()):
    """Makes a call. read takes the values from the response, line what weir has
    to show of it; violations are those that weir has to find."""
    answer = client.execute(request)
    said = {"function": function, "unit": UNIT}
    if quantity:
        said.update(address=address, quantity=quantity)
    if wrote is not None:
        said["wrote"] = [int(v) for v in wrote]
    if sub is not None:
        said["sub"] = sub
    if hasattr(answer, "exception_code"):
        said["exception"] = answer.exception_code
    elif not hasattr(answer, "function_code"):
        sys.exit(f"function {function}: {answer}")
    else:
        if read:
            said["read"] = [int(v) for v in read(answer)]
        if line:
            said["line"] = line(answer)
    if violations:
        said["violations"] = violations
    print(json.dumps(said), flush=True)


on = [True, False, True, True, False, False, True, False, True, True, False]
values = [0, 1, 40000, 65535, 12]

call(15, bw.WriteMultipleCoilsRequest(20, on, unit=UNIT), 20, len(on), on)
call(5, bw.WriteSingleCoilRequest(21, True, unit=UNIT), 21, 1, [1])
call(1, br.ReadCoilsRequest(18, 15, UNIT), 18, 15, read=lambda a: a.bits[:15])
call(2, br.ReadDiscreteInputsRequest(0, 40, UNIT), 0, 40, read=lambda a: a.bits[:40])
call(16, rw.WriteMultipleRegistersRequest(100, values, unit=UNIT), 100, len(values), values)
call(6, rw.WriteSingleRegisterRequest(101, 777, unit=UNIT), 101, 1, [777])
call(3, rr.ReadHoldingRegistersRequest(99, 7, UNIT), 99, 7, read=lambda a: a.registers)
call(4, rr.ReadInputRegistersRequest(10, 100, UNIT), 10, 100, read=lambda a: a.registers)
call(22, rw.MaskWriteRegisterRequest(101, 0xF0FF, 0x0A00, unit=UNIT), 101, 1)
call(
    23,
    rr.ReadWriteMultipleRegistersRequest(
        read_address=99, read_count=4, write_address=102, write_registers=[5, 6], unit=UNIT
    ),
    99, 4, [5, 6], read=lambda a: a.registers,
)
call(3, rr.ReadHoldingRegistersRequest(499, 10, UNIT), 499, 10)
call(7, om.ReadExceptionStatusRequest(unit=UNIT), line=lambda a: f'"status":{a.status}')
call(8, dg.ReturnQueryDataRequest(0x1234, unit=UNIT), sub=0, line=lambda a: '"data":"1234"')
simple = [
    (2, dg.ReturnDiagnosticRegisterRequest),
    (11, dg.ReturnBusMessageCountRequest),
    (12, dg.ReturnBusCommunicationErrorCountRequest),
    (13, dg.ReturnBusExceptionErrorCountRequest),
    (14, dg.ReturnSlaveMessageCountRequest),
    (15, dg.ReturnSlaveNoResponseCountRequest),
    (16, dg.ReturnSlaveNAKCountRequest),
    (17, dg.ReturnSlaveBusyCountRequest),
    (18, dg.ReturnSlaveBusCharacterOverrunCountRequest),
    (10, dg.ClearCountersRequest),
    (20, dg.ClearOverrunCountRequest),
]
for code, request in simple:
    call(8, request(0, unit=UNIT), sub=code)
call(8, dg.RestartCommunicationsOptionRequest(True, unit=UNIT), sub=1)
call(
    11, om.GetCommEventCounterRequest(unit=UNIT),
    line=lambda a: f'"status":{0 if a.status else 0xFFFF},"event_count":{a.count}',
)
call(12, om.GetCommEventLogRequest(unit=UNIT), line=lambda a: f'"event_count":{a.event_count},"message_count":{a.message_count}')
call(17, om.ReportSlaveIdRequest(unit=UNIT), line=lambda a: a.identifier.hex())
# The server answers without any record.
call(
    20,
    fm.ReadFileRecordRequest([fm.FileRecord(reference_type=6, file_number=4, record_number=1, record_length=2)], unit=UNIT),
    4 << 16 | 1, 2, violations=["modbus.quantity-mismatch"],
)
call(24, fm.ReadFifoQueueRequest(0x1234, unit=UNIT), 0x1234, 1)
call(
    43, me.ReadDeviceInformationRequest(1, 0, unit=UNIT), sub=14,
    line=lambda a: '"name":"VendorName","value":"%s"' % a.information[0].decode(),
)
call(
    43, me.ReadDeviceInformationRequest(2, 0, unit=UNIT), sub=14,
    line=lambda a: '"name":"ModelName","value":"%s"' % a.information[5].decode(),
)
client.close()
