/* A PLC on libmodbus, which shares no code with ours: its registers are set and read, and its faults ordered, by lines on stdin.
 *
 *   libmodbus_plc tcp|rtu PORT       prints "listening"; rtu is RTU frames over TCP
 *
 *   set TABLE ADDRESS VALUE...       table: holding, input, coil, discrete
 *   get TABLE ADDRESS COUNT
 *   put TABLE ADDRESS ORDER BITS     a 32-bit pattern in the order abcd, cdab, badc or dcba
 *   peek TABLE ADDRESS ORDER
 *   fault none|hang|close|garbage|cut|short|long|unit|function|slow MS|drip MS|exception CODE
 *   copy FROM TABLE TO COUNT         the PLC's program: after each request holding registers are copied on
 *   served                           the functions of the requests since the last time
 *   arrived UNIT                     when requests to a unit id came since the last time [us, CLOCK_MONOTONIC]
 *   restart                          drops every connection and forgets all registers, as after a power cycle
 *
 * Each line is answered by one line. It ends with its stdin. */

#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CELLS = 10000, CLIENTS = 32, LONGEST = 512, HEADER = 7, UNIT = 6, ARRIVALS = 100000 };

static modbus_t *modbus;
static modbus_mapping_t *cells;
static int clients[CLIENTS], client_count, listener, inner[2], is_rtu;
static char fault[16] = "none", served[4096];
static int fault_value;
static struct { int unit; long long us; } arrivals[ARRIVALS];
static int arrival_count;

static struct { int from, to, count; uint16_t *table; } copies[16];
static int copy_count;

static void fail(const char *what) { perror(what); exit(1); }

static uint16_t crc16(const uint8_t *bytes, int length) {
    uint16_t crc = 0xFFFF;
    for (int i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xA001 : crc >> 1;
    }
    return crc;
}

static void note_arrival(int unit) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (arrival_count == ARRIVALS) arrival_count = 0; /* nobody asked for so long */
    arrivals[arrival_count].unit = unit;
    arrivals[arrival_count++].us = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void tell_arrivals(int unit) {
    for (int i = 0; i < arrival_count; i++)
        if (arrivals[i].unit == unit) printf("%lld ", arrivals[i].us);
    printf("\n");
    arrival_count = 0;
}

static void listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, CLIENTS)) fail("listen");
}

static void drop(int i) {
    close(clients[i]);
    clients[i] = clients[--client_count];
}

static int read_exactly(int client, uint8_t *bytes, int length) {
    for (int got = 0; got < length;) {
        ssize_t n = read(client, bytes + got, length - got);
        if (n <= 0) return 0;
        got += n;
    }
    return 1;
}

/* One RTU request as the body of an MBAP frame; its length, 0 when the connection is over or the frame is wrong. */
static int receive_rtu(int client, uint8_t *frame) {
    uint8_t *body = frame + HEADER - 1;
    int length = 8;
    if (!read_exactly(client, body, 8)) return 0;
    if (body[1] == 15 || body[1] == 16) length = 9 + body[6];
    if (body[1] == 23 && !read_exactly(client, body + 8, 3)) return 0;
    if (body[1] == 23) length = 13 + body[10];
    int known = body[1] == 23 ? 11 : 8;
    if (length > known && !read_exactly(client, body + known, length - known)) return 0;
    uint16_t crc = crc16(body, length - 2);
    if (body[length - 2] != (crc & 0xFF) || body[length - 1] != crc >> 8) return 0;
    memcpy(frame, "\0\1\0\0", 4);
    frame[4] = (length - 2) >> 8;
    frame[5] = (length - 2) & 0xFF;
    return HEADER - 1 + length - 2;
}

static int receive(int client, uint8_t *query) {
    if (!is_rtu) {
        modbus_set_socket(modbus, client);
        return modbus_receive(modbus, query);
    }
    uint8_t frame[LONGEST];
    int length = receive_rtu(client, frame);
    if (length == 0 || write(inner[1], frame, length) != length) return -1;
    modbus_set_socket(modbus, inner[0]);
    return modbus_receive(modbus, query);
}

static void set_length(uint8_t *reply, int body) {
    reply[4] = body >> 8;
    reply[5] = body & 0xFF;
}

/* The reply as the ordered fault spoils it; its new length. */
static int spoil(uint8_t *reply, int length) {
    int reads = reply[HEADER] <= 4 || reply[HEADER] == 23;
    if (!strcmp(fault, "garbage")) {
        for (int i = 0; i < length; i++) reply[i] = rand();
    } else if (!strcmp(fault, "unit")) {
        reply[HEADER - 1] ^= 0x55;
    } else if (!strcmp(fault, "function")) {
        reply[HEADER] = reply[HEADER] == 3 ? 4 : 3;
    } else if (!strcmp(fault, "cut")) {
        length -= 1;
    } else if (!strcmp(fault, "short") && reads) {
        reply[HEADER + 1] -= 2;
        length -= 2;
        set_length(reply, length - HEADER + 1);
    } else if (!strcmp(fault, "long") && reads) {
        reply[HEADER + 1] += 2;
        memset(reply + length, 7, 2);
        length += 2;
        set_length(reply, length - HEADER + 1);
    }
    return length;
}

static void answer(int i, uint8_t *reply, int length) {
    int client = clients[i];
    uint8_t *bytes = reply;
    length = spoil(reply, length);
    if (is_rtu && strcmp(fault, "garbage")) {
        bytes = reply + HEADER - 1;
        length -= HEADER - 1;
        uint16_t crc = crc16(bytes, length);
        bytes[length++] = crc & 0xFF;
        bytes[length++] = crc >> 8;
        if (!strcmp(fault, "cut")) length--;
    }
    if (!strcmp(fault, "slow")) usleep(1000 * fault_value);
    int piece = strcmp(fault, "drip") ? length : 1;
    for (int sent = 0; sent < length; sent += piece) {
        if (write(client, bytes + sent, piece) <= 0) return;
        if (piece == 1) usleep(1000 * fault_value);
    }
}

static void run_program(void) {
    for (int i = 0; i < copy_count; i++)
        memmove(copies[i].table + copies[i].to, cells->tab_registers + copies[i].from, 2 * copies[i].count);
}

static void serve(int i) {
    uint8_t query[LONGEST], reply[LONGEST];
    int length = receive(clients[i], query);
    if (length <= 0) { drop(i); return; }
    note_arrival(query[UNIT]);
    snprintf(served + strlen(served), sizeof served - strlen(served), " %d", query[HEADER]);
    if (!strcmp(fault, "hang")) return;
    if (!strcmp(fault, "close")) { drop(i); return; }
    modbus_set_socket(modbus, inner[0]);
    run_program();
    if (!strcmp(fault, "exception")) modbus_reply_exception(modbus, query, fault_value);
    else if (modbus_reply(modbus, query, length, cells) < 0 && errno < MODBUS_ENOBASE) fail("reply");
    length = read(inner[1], reply, sizeof reply);
    if (length > 0) answer(i, reply, length);
}

static uint16_t *registers_of(const char *table) {
    return table[0] == 'h' ? cells->tab_registers : cells->tab_input_registers;
}

static uint8_t *bits_of(const char *table) { return table[0] == 'c' ? cells->tab_bits : cells->tab_input_bits; }

static int is_bits(const char *table) { return table[0] == 'c' || table[0] == 'd'; }

/* Byte by byte as the letters say, a the most significant: libmodbus' own modbus_set_float_abcd and its like do another thing in
 * each version (its issues 611, 665, 807, 838). */
static void put(uint16_t *at, const char *order, uint32_t bits) {
    uint8_t wire[4];
    for (int i = 0; i < 4; i++) wire[i] = bits >> (8 * ('d' - order[i]));
    for (int i = 0; i < 2; i++) at[i] = wire[2 * i] << 8 | wire[2 * i + 1];
}

static uint32_t peek(const uint16_t *at, const char *order) {
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) bits |= (uint32_t)(uint8_t)(at[i / 2] >> (i % 2 ? 0 : 8)) << (8 * ('d' - order[i]));
    return bits;
}

static void restart(void) {
    while (client_count) drop(0);
    modbus_mapping_free(cells);
    copy_count = 0;
    cells = modbus_mapping_new(CELLS, CELLS, CELLS, CELLS);
}

static void obey(char *line) {
    char table[16], order[8];
    int address, count, used;
    unsigned bits;
    if (sscanf(line, "set %15s %d%n", table, &address, &used) == 2) {
        char *rest = line + used;
        for (long value; (value = strtol(rest, &rest, 10)), *rest == ' ' || *rest == '\n' || *rest == 0; address++) {
            if (is_bits(table)) bits_of(table)[address] = value;
            else registers_of(table)[address] = value;
            if (*rest != ' ') break;
        }
        printf("ok\n");
    } else if (sscanf(line, "get %15s %d %d", table, &address, &count) == 3) {
        for (int i = address; i < address + count; i++)
            printf("%d ", is_bits(table) ? bits_of(table)[i] : registers_of(table)[i]);
        printf("\n");
    } else if (sscanf(line, "put %15s %d %7s %u", table, &address, order, &bits) == 4) {
        put(registers_of(table) + address, order, bits);
        printf("ok\n");
    } else if (sscanf(line, "peek %15s %d %7s", table, &address, order) == 3) {
        printf("%u\n", peek(registers_of(table) + address, order));
    } else if (copy_count < 16 && sscanf(line, "copy %d %15s %d %d", &address, table, &used, &count) == 4) {
        copies[copy_count].from = address;
        copies[copy_count].to = used;
        copies[copy_count].count = count;
        copies[copy_count++].table = registers_of(table);
        run_program();
        printf("ok\n");
    } else if (sscanf(line, "fault %15s %d", fault, &fault_value) >= 1) {
        printf("ok\n");
    } else if (!strncmp(line, "served", 6)) {
        printf("%s\n", served);
        served[0] = 0;
    } else if (sscanf(line, "arrived %d", &count) == 1) {
        tell_arrivals(count);
    } else if (!strncmp(line, "restart", 7)) {
        restart();
        printf("ok\n");
    } else {
        printf("what? %s", line);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    is_rtu = !strcmp(argv[1], "rtu");
    modbus = modbus_new_tcp("127.0.0.1", 0);
    cells = modbus_mapping_new(CELLS, CELLS, CELLS, CELLS);
    modbus_set_indication_timeout(modbus, 1, 0);
    if (!modbus || !cells || socketpair(AF_UNIX, SOCK_STREAM, 0, inner)) fail("begin");
    listen_on(atoi(argv[2]));
    printf("listening\n");
    fflush(stdout);
    for (char line[65536];;) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(STDIN_FILENO, &ready);
        FD_SET(listener, &ready);
        for (int i = 0; i < client_count; i++) FD_SET(clients[i], &ready);
        if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) fail("select");
        for (int i = client_count - 1; i >= 0; i--)
            if (FD_ISSET(clients[i], &ready)) serve(i);
        if (FD_ISSET(listener, &ready) && client_count < CLIENTS) {
            int one = 1, client = accept(listener, NULL, NULL);
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            clients[client_count++] = client;
        }
        if (FD_ISSET(STDIN_FILENO, &ready)) {
            if (!fgets(line, sizeof line, stdin)) return 0;
            obey(line);
        }
    }
}
