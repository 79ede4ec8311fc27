/* A libmodbus server on 127.0.0.1:PORT that answers until it is ended. */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
	modbus_t *ctx = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 1502);
	modbus_mapping_t *map = modbus_mapping_new(300, 300, 300, 300);
	uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
	int i, listener;
	if (ctx == NULL || map == NULL || (listener = modbus_tcp_listen(ctx, 5)) < 0) {
		fprintf(stderr, "listen: %s\n", modbus_strerror(errno));
		return 1;
	}
	for (i = 0; i < 300; i++) {
		map->tab_input_bits[i] = i % 5 == 0;
		map->tab_input_registers[i] = 1000 + 7 * i;
	}
	for (;;) {
		if (modbus_tcp_accept(ctx, &listener) < 0)
			return 1;
		for (;;) {
			int n = modbus_receive(ctx, query);
			if (n > 0)
				modbus_reply(ctx, query, n, map);
			else if (n < 0)
				break;
		}
		modbus_close(ctx);
	}
}
