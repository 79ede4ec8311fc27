/* A libmodbus client: calls every function that libmodbus has, on
 * 127.0.0.1:PORT, and prints a JSON line a call with what it wrote and read. */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>

static modbus_t *ctx;

static void ints(const char *name, const uint16_t *v, int n) {
	int i;
	printf(",\"%s\":[", name);
	for (i = 0; i < n; i++)
		printf("%s%d", i ? "," : "", v[i]);
	printf("]");
}

static void bits(const char *name, const uint8_t *v, int n) {
	int i;
	printf(",\"%s\":[", name);
	for (i = 0; i < n; i++)
		printf("%s%d", i ? "," : "", v[i]);
	printf("]");
}

/* head prints what is common; rc is the result of the call. */
static int head(int function, int address, int quantity, int rc) {
	printf("{\"function\":%d,\"unit\":17,\"address\":%d,\"quantity\":%d", function, address, quantity);
	if (rc < 0) {
		int code = errno - MODBUS_ENOBASE;
		if (code < 1 || code > 11) {
			fprintf(stderr, "function %d: %s\n", function, modbus_strerror(errno));
			exit(1);
		}
		printf(",\"exception\":%d", code);
	}
	return rc >= 0;
}

static void end(void) { printf("}\n"); }

int main(int argc, char **argv) {
	uint8_t b[2000], ones[20];
	uint16_t r[125], w[100];
	int i, rc;
	ctx = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 1502);
	modbus_set_slave(ctx, 17);
	modbus_set_response_timeout(ctx, 60, 0);
	if (modbus_connect(ctx) < 0) {
		fprintf(stderr, "connect: %s\n", modbus_strerror(errno));
		return 1;
	}
	for (i = 0; i < 20; i++)
		ones[i] = i % 4 != 1;
	for (i = 0; i < 100; i++)
		w[i] = 65535 - 600 * i;

	rc = modbus_write_bits(ctx, 10, 20, ones);
	head(15, 10, 20, rc), bits("wrote", ones, 20), end();
	rc = modbus_write_bit(ctx, 11, 1);
	b[0] = 1, head(5, 11, 1, rc), bits("wrote", b, 1), end();
	rc = modbus_read_bits(ctx, 8, 25, b);
	if (head(1, 8, 25, rc)) bits("read", b, 25);
	end();
	rc = modbus_read_input_bits(ctx, 0, 300, b);
	if (head(2, 0, 300, rc)) bits("read", b, 300);
	end();
	rc = modbus_write_registers(ctx, 30, 100, w);
	head(16, 30, 100, rc), ints("wrote", w, 100), end();
	rc = modbus_write_register(ctx, 30, 4321);
	r[0] = 4321, head(6, 30, 1, rc), ints("wrote", r, 1), end();
	rc = modbus_read_registers(ctx, 20, 125, r);
	if (head(3, 20, 125, rc)) ints("read", r, 125);
	end();
	rc = modbus_read_input_registers(ctx, 290, 10, r);
	if (head(4, 290, 10, rc)) ints("read", r, 10);
	end();
	rc = modbus_mask_write_register(ctx, 30, 0xFF00, 0x0012);
	head(22, 30, 1, rc), end();
	rc = modbus_write_and_read_registers(ctx, 40, 3, w, 38, 6, r);
	head(23, 38, 6, rc), ints("wrote", w, 3);
	if (rc >= 0) ints("read", r, 6);
	end();
	rc = modbus_report_slave_id(ctx, sizeof b, b);
	if (head(17, 0, 0, rc)) {
		printf(",\"line\":\"\\\"byte_count\\\":%d,\\\"data\\\":\\\"", rc);
		for (i = 0; i < rc; i++)
			printf("%02x", b[i]);
		printf("\\\"\"");
	}
	end();
	/* Addresses that the server does not have. */
	rc = modbus_read_registers(ctx, 299, 2, r);
	head(3, 299, 2, rc), end();
	rc = modbus_write_bit(ctx, 5000, 0);
	b[0] = 0, head(5, 5000, 1, rc), bits("wrote", b, 1), end();
	modbus_close(ctx);
	return 0;
}
