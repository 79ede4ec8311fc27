package plant

import "time"

// Who acts and on what, for the table.
var (
	intruder  = AddrIntruder.String()
	hmiAddr   = AddrHMI.String()
	histAddr  = AddrHistorian.String()
	masterIP  = AddrMaster.String()
	plc1Addr  = AddrPLC1.String()
	plc2Addr  = AddrPLC2.String()
	plc3Addr  = AddrPLC3.String()
	analyser  = AddrAnalysers.String()
	rtuAddr   = AddrRTU.String()
	everybody = "10.20.1.0/24"
)

const minute = time.Minute

// attacks is the only place where the plant's kinds of attack are listed.
var attacks = []Attack{
	// Discovery.
	{Kind: "scan.arp", Technique: "T0846", Description: "a new host asks by ARP for every address of the network", source: intruder, target: everybody, run: scanARP},
	{Kind: "scan.hosts", Technique: "T0846", Description: "a new host tries port 502 of every address", source: intruder, target: everybody, run: scanHosts},
	{Kind: "scan.ports", Technique: "T0846", Description: "a new host tries many ports of a controller", source: intruder, target: plc1Addr, run: scanPorts},
	{Kind: "scan.units", Technique: "T0846", Description: "a new host asks a gateway for every unit identifier", source: intruder, target: analyser, run: scanUnits},
	{Kind: "scan.functions", Technique: "T0888", Description: "a new host tries every Modbus function code", source: intruder, target: plc3Addr, run: scanFunctions},
	{Kind: "scan.registers", Technique: "T0861", Description: "a new host reads through a controller's registers", source: intruder, target: plc2Addr, run: scanRegisters},
	{Kind: "scan.slow", Technique: "T0861", Description: "the historian reads one unusual register every two minutes", source: histAddr, target: plc3Addr, Duration: 60 * minute, run: scanSlow},
	{Kind: "scan.dnp3-addresses", Technique: "T0846", Description: "a new host asks for the link status of many DNP3 addresses", source: intruder, target: rtuAddr, run: scanDNP3},
	{Kind: "recon.device-id", Technique: "T0888", Description: "a new host reads the identification of all controllers", source: intruder, target: everybody, run: reconDeviceID},
	{Kind: "recon.umas", Technique: "T0888", Description: "a new host reads a controller's identification by function 90", source: intruder, target: plc1Addr, run: reconUMAS},
	{Kind: "recon.dnp3-integrity", Technique: "T0861", Description: "a second DNP3 master reads all points once", source: intruder, target: rtuAddr, run: reconIntegrity},
	{Kind: "recon.dnp3-attributes", Technique: "T0888", Description: "a second DNP3 master reads the device attributes", source: intruder, target: rtuAddr, run: reconAttributes},
	{Kind: "host.new", Technique: "T0864", Description: "a laptop is plugged in: it announces itself and looks for its servers", source: intruder, target: everybody, run: newLaptop},
	{Kind: "host.remote-service", Technique: "T0886", Description: "a new host opens a remote desktop session to the HMI", source: intruder, target: hmiAddr, run: remoteService},
	{Kind: "host.impersonated", Technique: "T0848", Description: "a new host takes the HMI's IP address and switches a pump", source: hmiAddr, target: plc3Addr, run: impersonate},
	{Kind: "host.exfiltration", Technique: "T0882", Description: "the historian sends a large amount of data to an unknown address outside", source: histAddr, target: "203.0.113.80", run: exfiltrate},

	// Commands and setpoints by Modbus.
	{Kind: "write.new-host", Technique: "T0855", Description: "a new host switches a pump off", source: intruder, target: plc3Addr, run: writeNewHost},
	{Kind: "write.from-plc", Technique: "T0855", Description: "a controller that only ever answered writes a coil of another", source: plc1Addr, target: plc3Addr, run: writeFromPLC},
	{Kind: "write.from-historian", Technique: "T0855", Description: "the historian, which only ever read, writes a setpoint", source: histAddr, target: plc2Addr, run: writeFromHistorian},
	{Kind: "write.setpoint-range", Technique: "T0836", Description: "the HMI sets the chlorine setpoint far out of its range", source: hmiAddr, target: plc2Addr, Duration: 10 * minute, run: writeSetpointRange},
	{Kind: "write.setpoint-creep", Technique: "T0836", Description: "the HMI raises a switching level in small steps until the tank can run over", source: hmiAddr, target: plc3Addr, Duration: 60 * minute, run: writeSetpointCreep},
	{Kind: "write.bulk", Technique: "T0836", Description: "a new host overwrites all setpoints of a controller at once", source: intruder, target: plc3Addr, Duration: 5 * minute, run: writeBulk},
	{Kind: "write.broadcast", Technique: "T0855", Description: "a new host writes a coil with unit identifier 0, a broadcast", source: intruder, target: plc3Addr, run: writeBroadcast},
	{Kind: "write.brute-force", Technique: "T0806", Description: "the HMI's address switches a pump on and off twice a second", source: hmiAddr, target: plc3Addr, Duration: minute, run: writeBruteForce},
	{Kind: "write.new-address", Technique: "T0836", Description: "the HMI writes a setpoint that it never wrote", source: hmiAddr, target: plc2Addr, run: writeNewAddress},
	{Kind: "write.new-function", Technique: "T0855", Description: "the HMI uses Mask Write Register, which it never used", source: hmiAddr, target: plc1Addr, run: writeNewFunction},
	{Kind: "write.all-stop", Technique: "T0816", Description: "the HMI takes all pumps of a controller out of automatic and off in one write", source: hmiAddr, target: plc3Addr, Duration: 5 * minute, run: writeAllStop},
	{Kind: "write.unusual-hour", Technique: "T0855", Description: "the HMI operates pumps in quick succession; meant for an hour at which nobody does", source: hmiAddr, target: plc1Addr, run: writeUnusualHour},

	// The controllers themselves.
	{Kind: "plc.restart", Technique: "T0816", Description: "a new host restarts a controller's communications (function 8, sub-function 1)", source: intruder, target: plc3Addr, run: plcRestart},
	{Kind: "plc.listen-only", Technique: "T0814", Description: "a new host forces a controller into listen only mode (function 8, sub-function 4)", source: intruder, target: plc3Addr, Duration: 2 * minute, run: plcListenOnly},
	{Kind: "plc.clear-counters", Technique: "T0872", Description: "a new host clears a controller's diagnostic counters (function 8, sub-function 10)", source: intruder, target: plc3Addr, run: plcClearCounters},
	{Kind: "plc.umas-stop", Technique: "T0858", Description: "a new host stops a controller's program by function 90", source: intruder, target: plc1Addr, Duration: 2 * minute, run: plcStop},
	{Kind: "plc.umas-download", Technique: "T0843", Description: "a new host downloads a program into a controller by function 90", source: intruder, target: plc2Addr, run: plcDownload},
	{Kind: "plc.file-write", Technique: "T0889", Description: "a new host writes file records of a controller (function 21)", source: intruder, target: plc3Addr, run: plcFileWrite},

	// The substation.
	{Kind: "dnp3.cold-restart", Technique: "T0816", Description: "a second master restarts the outstation", source: intruder, target: rtuAddr, run: dnp3ColdRestart},
	{Kind: "dnp3.warm-restart", Technique: "T0816", Description: "the master's address restarts the outstation's application", source: masterIP, target: rtuAddr, run: dnp3WarmRestart},
	{Kind: "dnp3.disable-unsolicited", Technique: "T0878", Description: "a second master stops the outstation's own reports", source: intruder, target: rtuAddr, run: dnp3Disable},
	{Kind: "dnp3.stop-application", Technique: "T0858", Description: "a second master stops the outstation's application", source: intruder, target: rtuAddr, Duration: 2 * minute, run: dnp3Stop},
	{Kind: "dnp3.operate-without-select", Technique: "T0855", Description: "a second master operates a breaker that it did not select", source: intruder, target: rtuAddr, run: dnp3NoSelect},
	{Kind: "dnp3.trip", Technique: "T0855", Description: "a second master selects and trips a feeder's breaker", source: intruder, target: rtuAddr, Duration: 2 * minute, run: dnp3Trip},
	{Kind: "dnp3.direct-operate", Technique: "T0855", Description: "the master's address trips a breaker by direct operate, which it never used", source: masterIP, target: rtuAddr, Duration: 2 * minute, run: dnp3Direct},
	{Kind: "dnp3.select-mismatch", Technique: "T0855", Description: "the master's address selects one breaker and operates another", source: masterIP, target: rtuAddr, run: dnp3Mismatch},
	{Kind: "dnp3.analog-output", Technique: "T0836", Description: "the master's address moves the tap changer to its end", source: masterIP, target: rtuAddr, Duration: 5 * minute, run: dnp3Analog},
	{Kind: "dnp3.time-set", Technique: "T0832", Description: "a second master sets the outstation's clock an hour back", source: intruder, target: rtuAddr, run: dnp3Time},
	{Kind: "dnp3.file-read", Technique: "T0893", Description: "a second master takes the outstation's configuration file", source: intruder, target: rtuAddr, run: dnp3FileRead},
	{Kind: "dnp3.file-delete", Technique: "T0809", Description: "a second master deletes the outstation's configuration file", source: intruder, target: rtuAddr, run: dnp3FileDelete},
	{Kind: "dnp3.freeze-clear", Technique: "T0872", Description: "a second master freezes and clears the energy counters", source: intruder, target: rtuAddr, run: dnp3FreezeClear},
	{Kind: "dnp3.assign-class", Technique: "T0878", Description: "a second master takes the breakers out of the event classes", source: intruder, target: rtuAddr, run: dnp3AssignClass},
	{Kind: "dnp3.deadband", Technique: "T0836", Description: "a second master sets deadbands so wide that nothing is reported", source: intruder, target: rtuAddr, Duration: 10 * minute, run: dnp3Deadband},
	{Kind: "dnp3.replayed-command", Technique: "T0855", Description: "the master's select and operate are sent again by a new host, byte for byte", source: intruder, target: rtuAddr, Duration: 2 * minute, run: dnp3Replay},
	{Kind: "dnp3.spoofed-unsolicited", Technique: "T0856", Description: "a forged report of an open breaker is injected into the outstation's stream", source: rtuAddr, target: masterIP, run: dnp3SpoofUnsolicited},
	{Kind: "dnp3.broadcast", Technique: "T0855", Description: "a second master trips all breakers by a broadcast that nobody answers", source: intruder, target: rtuAddr, Duration: 2 * minute, run: dnp3Broadcast},
	{Kind: "dnp3.bad-requests", Technique: "T0814", Description: "the master's address asks for objects, points and functions that the outstation does not have", source: masterIP, target: rtuAddr, Duration: minute, run: dnp3BadRequests},
	{Kind: "dnp3.takeover", Technique: "T0816", Description: "a second master restarts the outstation, sets its clock and turns off its reports, in this order", source: intruder, target: rtuAddr, Duration: minute, run: dnp3Takeover},
	{Kind: "dnp3.malformed", Technique: "T0814", Description: "a new host sends DNP3 frames with wrong check sequences, lengths and objects", source: intruder, target: rtuAddr, run: dnp3Malformed},

	// Denial of service.
	{Kind: "flood.requests", Technique: "T0814", Description: "a new host sends reads as fast as the controller answers", source: intruder, target: plc3Addr, Duration: 20 * time.Second, run: floodRequests},
	{Kind: "flood.syn", Technique: "T0814", Description: "connections from thousands of forged addresses are begun and left", source: "forged", target: plc2Addr, Duration: 20 * time.Second, run: floodSYN},
	{Kind: "flood.connections", Technique: "T0814", Description: "a new host opens as many connections as the controller takes and keeps them", source: intruder, target: plc2Addr, Duration: minute, run: floodConnections},
	{Kind: "flood.exceptions", Technique: "T0814", Description: "the HMI's address asks for addresses that do not exist, again and again", source: hmiAddr, target: plc1Addr, Duration: minute, run: floodExceptions},
	{Kind: "flood.malformed", Technique: "T0814", Description: "a new host sends malformed Modbus messages", source: intruder, target: plc2Addr, run: floodMalformed},
	{Kind: "flood.reset", Technique: "T0814", Description: "forged resets break the HMI's connection every five seconds", source: plc3Addr, target: hmiAddr, Duration: 2 * minute, run: floodReset},

	// Timing.
	{Kind: "poll.stopped", Technique: "T0815", Description: "the HMI stops polling a controller", source: hmiAddr, target: plc3Addr, Duration: 10 * minute, run: pollStopped},
	{Kind: "poll.faster", Technique: "T0801", Description: "the HMI's address polls five times as often", source: hmiAddr, target: plc2Addr, Duration: 10 * minute, run: pollFaster},
	{Kind: "poll.slower", Technique: "T0815", Description: "the HMI polls six times less often", source: hmiAddr, target: plc2Addr, Duration: 10 * minute, run: pollSlower},
	{Kind: "poll.narrowed", Technique: "T0815", Description: "the HMI leaves out one of its reads", source: hmiAddr, target: plc3Addr, Duration: 10 * minute, run: pollNarrowed},
	{Kind: "device.silent", Technique: "T0814", Description: "a controller does not answer any more", source: plc3Addr, target: hmiAddr, Duration: 3 * minute, run: deviceSilent},
	{Kind: "response.slow", Technique: "T0830", Description: "answers take fifteen times as long", source: plc3Addr, target: hmiAddr, Duration: 10 * minute, run: responseSlow},
	{Kind: "response.twice", Technique: "T0856", Description: "requests are answered twice, with different values", source: plc3Addr, target: hmiAddr, Duration: 2 * minute, run: responseTwice},
	{Kind: "master.second", Technique: "T0801", Description: "a new host polls a controller just as the HMI does", source: intruder, target: plc3Addr, Duration: 10 * minute, run: secondMaster},
	{Kind: "dnp3.poll-stopped", Technique: "T0815", Description: "the master stops polling the outstation", source: masterIP, target: rtuAddr, Duration: 10 * minute, run: dnp3PollStopped},

	// In between, and false values.
	{Kind: "mitm.arp", Technique: "T0830", Description: "a new host answers ARP for a controller and forwards its traffic unchanged", source: intruder, target: plc3Addr, Duration: 5 * minute, run: mitmARP},
	{Kind: "mitm.values", Technique: "T0830", Description: "a new host stands between HMI and controller and falsifies a level", source: intruder, target: plc3Addr, Duration: 10 * minute, run: mitmValues},
	{Kind: "tcp.overlap", Technique: "T0830", Description: "forged answers are injected just before the real ones: segments overlap with different bytes", source: plc3Addr, target: hmiAddr, Duration: minute, run: tcpOverlap},
	{Kind: "sensor.frozen", Technique: "T0856", Description: "a flow reading stands still", source: plc3Addr, target: hmiAddr, Duration: 20 * minute, run: sensorFrozen},
	{Kind: "sensor.replayed", Technique: "T0856", Description: "the reservoir's readings repeat an earlier stretch while the water moves", source: plc3Addr, target: hmiAddr, Duration: 30 * minute, lead: 10 * minute, prepare: hearReservoir, run: sensorReplayed},
	{Kind: "sensor.offset", Technique: "T0856", Description: "a level reading jumps by 0.6 m", source: plc1Addr, target: hmiAddr, Duration: 20 * minute, run: sensorOffset},
	{Kind: "sensor.drift", Technique: "T0856", Description: "a level reading drifts away by 1 m an hour", source: plc1Addr, target: hmiAddr, Duration: 60 * minute, run: sensorDrift},
	{Kind: "sensor.noiseless", Technique: "T0856", Description: "readings follow the truth but have lost their noise", source: plc3Addr, target: hmiAddr, Duration: 20 * minute, run: sensorNoiseless},
	{Kind: "sensor.spike", Technique: "T0856", Description: "a pressure reading jumps out of its range for some seconds, again and again", source: plc3Addr, target: hmiAddr, Duration: 10 * minute, run: sensorSpike},
	{Kind: "sensor.dnp3-false", Technique: "T0856", Description: "the outstation reports a voltage that is 8 % too high", source: rtuAddr, target: masterIP, Duration: 20 * minute, run: sensorDNP3},
	{Kind: "sensor.dnp3-forced", Technique: "T0856", Description: "the outstation reports feeder values that are forced locally, and says so in their flags", source: rtuAddr, target: masterIP, Duration: 20 * minute, run: sensorForced},
	{Kind: "process.level-deceived", Technique: "T0831", Description: "the controller is told a low level and pumps until the reservoir runs over", source: plc3Addr, target: plc3Addr, Duration: 90 * minute, run: processLevel},
	{Kind: "process.pump-slowed", Technique: "T0831", Description: "a pump runs slower than its controller says", source: plc3Addr, target: plc3Addr, Duration: 60 * minute, run: processPump},
	{Kind: "process.valve-hidden", Technique: "T0831", Description: "a zone valve closes while its reported position stands still", source: plc3Addr, target: plc3Addr, Duration: 30 * minute, run: processValve},
	{Kind: "process.dosing-hidden", Technique: "T0831", Description: "chlorine is overdosed while the analyser's readings repeat an earlier stretch", source: plc2Addr, target: analyser, Duration: 30 * minute, lead: 10 * minute, prepare: hearChlorine, run: processDosing},
	{Kind: "process.output-blocked", Technique: "T0803", Description: "the operator starts a pump, the controller says that it runs, and it does not turn", source: plc1Addr, target: plc1Addr, Duration: 10 * minute, run: processBlocked},
	{Kind: "process.valve-jammed", Technique: "T0803", Description: "the operator starts a backwash, the controller says that it washes, and the inlet valve does not close", source: plc2Addr, target: plc2Addr, Duration: 15 * minute, run: processJammed},
	{Kind: "process.uncommanded", Technique: "T0821", Description: "a pump runs that nobody started, and its switches do not show it", source: plc1Addr, target: plc1Addr, Duration: 30 * minute, run: processUncommanded},
	{Kind: "covert.low-digits", Technique: "T0869", Description: "a message leaves the plant in the lowest digit of a level reading", source: plc1Addr, target: hmiAddr, Duration: 20 * minute, run: covertDigits},
}
