/* The clients of `pytake bench`: thousands of Socket.IO connections on one thread.
 *
 * Python decides what happens (native.py); this file does it and counts. It speaks Engine.IO 4 and
 * Socket.IO 5 over ws://, and HTTP/1.1 with keep-alive for requests. One call of swarm_step takes
 * what comes for as long as it was told; nothing runs beside it.
 *
 * A packet that begins with the delivered prefix is a delivery. If it holds a stamp
 * "@T<shard>.<nanoseconds>@", its latency is recorded, and whether it is from this shard.
 * Connections end with a reset, so that no port stays in TIME_WAIT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_ZLIB
#include <zlib.h>
#endif

/* The states of a seat; pytake.bench.swarm.State names them, too. */
enum { EMPTY, CONNECTING, UPGRADING, OPENING, NAMING, JOINING, READY, LOST, REFUSED, BUSY };
enum { CONNECTED, DELIVERED, ANSWERED, REQUESTED, HISTOGRAMS };
enum { BUCKETS = 4096, INPUT_BYTES = 1 << 20, EVENTS_AT_ONCE = 1024, LARGEST_FRAME = 65000 };
enum { SEATS_PER_SOURCE = 20000, STALLED_RECEIVE_BUFFER = 4096 };

/* In the order of pytake.bench.native.Figures. */
typedef struct figures {
    uint64_t ready, lost, refused, busy;
    uint64_t deliveries, own_deliveries, replayed, delivered_bytes, answers, pings, others, errors;
    uint64_t requests, ok_answers, limited_answers, bad_answers, failed_requests;
    uint64_t received_bytes, sent_bytes;
} figures;

typedef struct swarm swarm;

typedef struct peer {
    swarm *owner;
    int fd, state, seat, is_request, is_busy, takes_deflate, is_stalled;
    char *input; /* what could not be parsed yet */
    size_t input_size;
    char *output; /* what the kernel did not take yet */
    size_t output_size;
    const char *auth, *join;
    uint64_t began, asked, ready_at, seen;
#ifdef WITH_ZLIB
    z_stream *inflater;
#endif
} peer;

struct swarm {
    int epoll, seats, lanes, is_local, measures, shard;
    struct sockaddr_storage address, request_address;
    socklen_t address_size, request_address_size;
    char *upgrade, *delivered, *joined, *answered, *repeated;
    size_t upgrade_size, delivered_size, joined_size, answered_size, repeated_size;
    peer *peers, *request_lanes;
    uint8_t *states;
    uint32_t *retry_after_ms;
    figures counts;
    uint64_t histogram[HISTOGRAMS][BUCKETS];
    char *room; /* INPUT_BYTES, shared by all peers: only one is read at a time */
    char *plain;
    char last_error[256];
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Microseconds, exact below 64, then 64 steps an octave (1.6 %). */
static void record(swarm *s, int which, uint64_t nanoseconds) {
    uint64_t us = nanoseconds / 1000;
    int bucket = (int)us;
    if (us >= 64) {
        int octave = 63 - __builtin_clzll(us);
        bucket = ((octave - 5) << 6) | (int)((us >> (octave - 6)) & 63);
        if (bucket >= BUCKETS) bucket = BUCKETS - 1;
    }
    s->histogram[which][bucket]++;
}

static void set_state(peer *p, int state) {
    p->state = state;
    if (!p->is_request) p->owner->states[p->seat] = (uint8_t)state;
}

static void note(swarm *s, const char *text, size_t size) {
    if (size >= sizeof s->last_error) size = sizeof s->last_error - 1;
    memcpy(s->last_error, text, size);
    s->last_error[size] = 0;
}

/* Close the socket; the state says why. */
static void end(peer *p, int state) {
    swarm *s = p->owner;
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    p->input_size = p->output_size = 0;
    free(p->input);
    free(p->output);
    p->input = p->output = NULL;
#ifdef WITH_ZLIB
    if (p->inflater) {
        inflateEnd(p->inflater);
        free(p->inflater);
        p->inflater = NULL;
    }
#endif
    if (p->is_request) {
        if (p->is_busy) s->counts.failed_requests++;
        p->is_busy = 0;
    } else {
        if (p->state == READY) s->counts.ready--;
        if (state == LOST) s->counts.lost++;
        if (state == REFUSED) s->counts.refused++;
        if (state == BUSY) s->counts.busy++;
    }
    set_state(p, state);
}

static void watch(peer *p, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = p};
    epoll_ctl(p->owner->epoll, operation, p->fd, &event);
}

static void flush(peer *p) {
    while (p->output_size) {
        ssize_t written = send(p->fd, p->output, p->output_size, MSG_NOSIGNAL);
        if (written < 0) {
            if (errno != EAGAIN) end(p, LOST);
            return;
        }
        memmove(p->output, p->output + written, p->output_size - written);
        p->output_size -= written;
    }
    watch(p, EPOLL_CTL_MOD, EPOLLIN);
}

static void write_bytes(peer *p, const char *bytes, size_t size) {
    if (p->fd < 0) return;
    p->owner->counts.sent_bytes += size;
    if (!p->output_size) {
        ssize_t written = send(p->fd, bytes, size, MSG_NOSIGNAL);
        if (written == (ssize_t)size) return;
        if (written < 0) {
            if (errno != EAGAIN) {
                end(p, LOST);
                return;
            }
            written = 0;
        }
        bytes += written;
        size -= written;
    }
    p->output = realloc(p->output, p->output_size + size);
    memcpy(p->output + p->output_size, bytes, size);
    p->output_size += size;
    watch(p, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

/* A masked frame; the mask is fixed, since nobody listens in on a load test. */
static void write_frame(peer *p, int opcode, const char *payload, size_t size) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char frame[LARGEST_FRAME + 8];
    size_t at = 2;
    if (size > LARGEST_FRAME) return;
    frame[0] = (char)(0x80 | opcode);
    if (size < 126) {
        frame[1] = (char)(0x80 | size);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(size >> 8);
        frame[3] = (char)size;
        at = 4;
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++) frame[at + i] = (char)(payload[i] ^ mask[i & 3]);
    write_bytes(p, frame, at + size);
}

static void begin(peer *p) {
    swarm *s = p->owner;
    int one = 1;
    struct linger reset = {1, 0};
    struct sockaddr_storage *address = p->is_request ? &s->request_address : &s->address;
    socklen_t address_size = p->is_request ? s->request_address_size : s->address_size;
    p->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0) {
        note(s, strerror(errno), strlen(strerror(errno)));
        end(p, LOST);
        return;
    }
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (s->is_local && p->seat >= SEATS_PER_SOURCE) { /* one address has 28,000 ports */
        struct sockaddr_in source = {.sin_family = AF_INET};
        source.sin_addr.s_addr = htonl(0x7f000001u + p->seat / SEATS_PER_SOURCE);
        setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        bind(p->fd, (struct sockaddr *)&source, sizeof source);
    }
    p->began = now();
    set_state(p, CONNECTING);
    if (connect(p->fd, (struct sockaddr *)address, address_size) < 0 && errno != EINPROGRESS) {
        note(s, strerror(errno), strlen(strerror(errno)));
        end(p, LOST);
        return;
    }
    watch(p, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void become_ready(peer *p) {
    set_state(p, READY);
    p->owner->counts.ready++;
    p->ready_at = now();
    record(p->owner, CONNECTED, p->ready_at - p->began);
}

static int starts(const char *text, size_t size, const char *prefix, size_t prefix_size) {
    return prefix_size && size >= prefix_size && !memcmp(text, prefix, prefix_size);
}

static void on_delivery(peer *p, const char *text, size_t size) {
    swarm *s = p->owner;
    s->counts.deliveries++;
    s->counts.delivered_bytes += size;
    const char *seq = memmem(text, size, "\"seq\":", 6);
    if (seq) {
        uint64_t number = strtoull(seq + 6, NULL, 10);
        if (number > p->seen) p->seen = number;
    }
    const char *stamp = memmem(text, size, "@T", 2);
    if (!stamp) return;
    char *dot;
    long shard = strtol(stamp + 2, &dot, 10);
    if (*dot != '.') return;
    if (shard == s->shard) s->counts.own_deliveries++;
    uint64_t written = strtoull(dot + 1, NULL, 10);
    if (p->state != READY || written < p->ready_at) s->counts.replayed++;
    else if (s->measures) record(s, DELIVERED, now() - written);
}

/* The join, with %S replaced by the last seq that was seen. */
static void write_join(peer *p) {
    const char *place = strstr(p->join, "%S");
    char packet[4096];
    if (!place) {
        write_frame(p, 1, p->join, strlen(p->join));
        return;
    }
    int size = snprintf(packet, sizeof packet, "%.*s%llu%s", (int)(place - p->join), p->join,
                        (unsigned long long)p->seen, place + 2);
    if (size < (int)sizeof packet) write_frame(p, 1, packet, size);
}

static void on_answer(peer *p) {
    swarm *s = p->owner;
    s->counts.answers++;
    if (s->measures && p->asked) record(s, ANSWERED, now() - p->asked);
    p->asked = 0;
    if (s->repeated) {
        p->asked = now();
        write_frame(p, 1, s->repeated, s->repeated_size);
    }
}

static void on_joining(peer *p, const char *text, size_t size) {
    swarm *s = p->owner;
    if (starts(text, size, s->joined, s->joined_size)) {
        if (memmem(text, size, "\"ok\":false", 10)) {
            note(s, text, size);
            end(p, REFUSED);
        } else {
            become_ready(p);
        }
    } else if (starts(text, size, "42[\"error\"", 10)) {
        note(s, text, size);
        end(p, REFUSED);
    }
}

/* One packet of Engine.IO. */
static void on_packet(peer *p, const char *text, size_t size) {
    swarm *s = p->owner;
    if (!size) return;
    if (starts(text, size, s->delivered, s->delivered_size)) {
        on_delivery(p, text, size);
    } else if (p->state == READY && starts(text, size, s->answered, s->answered_size)) {
        on_answer(p);
    } else if (text[0] == '2') {
        s->counts.pings++;
        write_frame(p, 1, "3", 1);
    } else if (text[0] == '0' && p->state == OPENING) {
        set_state(p, NAMING);
        write_frame(p, 1, p->auth, strlen(p->auth));
    } else if (text[0] == '1' || starts(text, size, "41", 2)) {
        end(p, LOST);
    } else if (starts(text, size, "44", 2)) {
        note(s, text, size);
        end(p, memmem(text, size, "\"retryable\":true", 16) ? BUSY : REFUSED);
    } else if (starts(text, size, "40", 2) && p->state == NAMING) {
        if (!*p->join) {
            become_ready(p);
            return;
        }
        set_state(p, JOINING);
        write_join(p);
        if (!s->joined_size) become_ready(p);
    } else if (p->state == JOINING) {
        on_joining(p, text, size);
    } else if (starts(text, size, "42[\"error\"", 10)) {
        s->counts.errors++;
        note(s, text, size);
    } else {
        s->counts.others++;
    }
}

#ifdef WITH_ZLIB
static void on_compressed(peer *p, const char *payload, size_t size) {
    static const unsigned char tail[4] = {0, 0, 255, 255};
    if (!p->inflater) {
        p->inflater = calloc(1, sizeof(z_stream));
        inflateInit2(p->inflater, -15);
    }
    z_stream *z = p->inflater;
    z->next_out = (Bytef *)p->owner->plain;
    z->avail_out = INPUT_BYTES;
    z->next_in = (Bytef *)payload;
    z->avail_in = size;
    inflate(z, Z_SYNC_FLUSH);
    z->next_in = (Bytef *)tail;
    z->avail_in = 4;
    inflate(z, Z_SYNC_FLUSH);
    on_packet(p, p->owner->plain, INPUT_BYTES - z->avail_out);
}
#endif

static void on_frame(peer *p, unsigned char head, const char *payload, size_t size) {
    int opcode = head & 15;
    if (opcode == 8) {
        end(p, p->state == READY ? LOST : BUSY);
    } else if (opcode == 9) {
        write_frame(p, 10, payload, size);
    } else if (opcode <= 2) {
#ifdef WITH_ZLIB
        if (head & 0x40) {
            on_compressed(p, payload, size);
            return;
        }
#endif
        on_packet(p, payload, size);
    }
}

/* Take whole frames from the bytes; return how many bytes they were. */
static size_t take_frames(peer *p, const char *bytes, size_t size) {
    size_t at = 0;
    while (size - at >= 2) {
        const unsigned char *frame = (const unsigned char *)bytes + at;
        size_t length = frame[1] & 127, head = 2;
        if (length == 126) {
            if (size - at < 4) break;
            length = frame[2] << 8 | frame[3];
            head = 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0;
            for (int i = 0; i < 8; i++) length = length << 8 | frame[2 + i];
            head = 10;
        }
        if (size - at < head + length) break;
        on_frame(p, frame[0], bytes + at + head, length);
        if (p->fd < 0) return size;
        at += head + length;
    }
    return at;
}

/* The status line says yes, not now (503), or no; Retry-After says when. */
static size_t take_upgrade(peer *p, const char *bytes, size_t size) {
    swarm *s = p->owner;
    const char *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return 0;
    if (memcmp(bytes, "HTTP/1.1 101", 12)) {
        const char *retry = memmem(bytes, blank - bytes, "etry-", 5);
        if (retry && (retry = memchr(retry, ':', blank - retry)))
            s->retry_after_ms[p->seat] = (uint32_t)(strtod(retry + 1, NULL) * 1000);
        note(s, bytes, size);
        end(p, !memcmp(bytes, "HTTP/1.1 503", 12) || !memcmp(bytes, "HTTP/1.1 502", 12) ? BUSY : REFUSED);
        return size;
    }
    p->takes_deflate = memmem(bytes, blank - bytes, "permessage-deflate", 18) != NULL;
    set_state(p, OPENING);
    return blank + 4 - bytes;
}

/* Return the size of the first whole answer, or 0. */
static size_t answer_size(const char *bytes, size_t size) {
    const char *blank = memmem(bytes, size, "\r\n\r\n", 4);
    if (!blank) return 0;
    size_t head = blank + 4 - bytes;
    if (!memcmp(bytes + 9, "204", 3) || !memcmp(bytes + 9, "304", 3)) return head;
    for (const char *line = bytes; line < blank; line = memchr(line, '\n', blank + 2 - line) + 1) {
        if (!strncasecmp(line, "content-length:", 15)) {
            size_t whole = head + strtoul(line + 15, NULL, 10);
            return size >= whole ? whole : 0;
        }
    }
    const char *last = memmem(blank, size - (blank - bytes), "\r\n0\r\n\r\n", 7);
    return last ? (size_t)(last + 7 - bytes) : 0;
}

static size_t take_answer(peer *p, const char *bytes, size_t size) {
    swarm *s = p->owner;
    size_t whole = answer_size(bytes, size);
    if (!whole) return 0;
    int status = atoi(bytes + 9);
    if (status >= 200 && status < 300) {
        s->counts.ok_answers++;
    } else {
        if (status == 429) s->counts.limited_answers++;
        else s->counts.bad_answers++;
        note(s, bytes, size);
    }
    if (s->measures) record(s, REQUESTED, now() - p->asked);
    p->is_busy = 0;
    return whole;
}

static void on_readable(peer *p) {
    swarm *s = p->owner;
    for (;;) {
        size_t kept = p->input_size;
        if (kept) memcpy(s->room, p->input, kept);
        p->input_size = 0;
        ssize_t got = recv(p->fd, s->room + kept, INPUT_BYTES - kept, 0);
        if (got <= 0) {
            p->input_size = kept;
            if (got < 0 && errno == EAGAIN) return;
            int was_new = p->state < READY && !p->is_request;
            end(p, was_new ? BUSY : LOST);
            return;
        }
        s->counts.received_bytes += got;
        size_t size = kept + got, taken = 0;
        int is_full = size == INPUT_BYTES;
        if (p->is_request) {
            taken = take_answer(p, s->room, size);
        } else {
            if (p->state == UPGRADING) taken = take_upgrade(p, s->room, size);
            if (p->fd >= 0 && p->state > UPGRADING)
                taken += take_frames(p, s->room + taken, size - taken);
        }
        if (p->fd < 0) return;
        if (taken < size) {
            p->input = realloc(p->input, size - taken);
            memcpy(p->input, s->room + taken, size - taken);
        }
        p->input_size = size - taken;
        if (!is_full) return;
    }
}

static void on_connected(peer *p) {
    swarm *s = p->owner;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        note(s, strerror(error), strlen(strerror(error)));
        end(p, BUSY);
        return;
    }
    if (p->is_request) {
        set_state(p, READY);
        flush(p);
        return;
    }
    set_state(p, UPGRADING);
    watch(p, EPOLL_CTL_MOD, EPOLLIN);
    write_bytes(p, s->upgrade, s->upgrade_size);
}

static void on_event(peer *p, uint32_t events) {
    if (p->fd < 0) return;
    if (events & EPOLLOUT) {
        if (p->state == CONNECTING) on_connected(p);
        else flush(p);
    }
    if (p->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    if (p->is_stalled) end(p, LOST);
    else on_readable(p);
}

/* --- what Python calls -------------------------------------------------------------------- */

void swarm_free(swarm *s) {
    if (!s) return;
    for (int i = 0; i < s->seats; i++) {
        if (s->peers[i].fd >= 0) end(&s->peers[i], EMPTY);
        free((char *)s->peers[i].auth);
        free((char *)s->peers[i].join);
    }
    for (int i = 0; i < s->lanes; i++)
        if (s->request_lanes[i].fd >= 0) end(&s->request_lanes[i], EMPTY);
    close(s->epoll);
    free(s->peers);
    free(s->request_lanes);
    free(s->states);
    free(s->retry_after_ms);
    free(s->upgrade);
    free(s->delivered);
    free(s->joined);
    free(s->answered);
    free(s->repeated);
    free(s->room);
    free(s->plain);
    free(s);
}

/* Return the size of the address, 0 if the text is none. */
static socklen_t parse_address(struct sockaddr_storage *address, const char *ip, int port) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        return sizeof *six;
    }
    return 0;
}

/* `upgrade` is the whole request of a handshake; NULL if the address is none. */
swarm *swarm_new(const char *ip, int port, const char *upgrade, int seats, int lanes, int shard) {
    swarm *s = calloc(1, sizeof *s);
    s->address_size = parse_address(&s->address, ip, port);
    if (!s->address_size) {
        free(s);
        return NULL;
    }
    s->request_address = s->address;
    s->request_address_size = s->address_size;
    s->is_local = !strncmp(ip, "127.", 4);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->seats = seats;
    s->lanes = lanes;
    s->shard = shard;
    s->upgrade = strdup(upgrade);
    s->upgrade_size = strlen(upgrade);
    s->peers = calloc(seats, sizeof(peer));
    s->request_lanes = calloc(lanes ? lanes : 1, sizeof(peer));
    s->states = calloc(seats, 1);
    s->retry_after_ms = calloc(seats, sizeof(uint32_t));
    s->room = malloc(INPUT_BYTES);
    s->plain = malloc(INPUT_BYTES);
    for (int i = 0; i < seats; i++) {
        s->peers[i].owner = s;
        s->peers[i].fd = -1;
        s->peers[i].seat = i;
    }
    for (int i = 0; i < lanes; i++) {
        s->request_lanes[i].owner = s;
        s->request_lanes[i].fd = -1;
        s->request_lanes[i].is_request = 1;
    }
    return s;
}

static void keep(char **text, size_t *size, const char *value) {
    free(*text);
    *text = value && *value ? strdup(value) : NULL;
    *size = *text ? strlen(*text) : 0;
}

/* How packets begin that count as a delivery, that confirm a join, and that answer. */
void swarm_expect(swarm *s, const char *delivered, const char *joined, const char *answered) {
    keep(&s->delivered, &s->delivered_size, delivered);
    keep(&s->joined, &s->joined_size, joined);
    keep(&s->answered, &s->answered_size, answered);
}

/* Send requests to another server than the sockets; 0 if the address is none. */
int swarm_requests_to(swarm *s, const char *ip, int port) {
    s->request_address_size = parse_address(&s->request_address, ip, port);
    return s->request_address_size != 0;
}

/* What the next connection of this seat says: CONNECT with its token, then the join. */
void swarm_seat(swarm *s, int seat, const char *auth, const char *join, uint64_t seen) {
    free((char *)s->peers[seat].auth);
    free((char *)s->peers[seat].join);
    s->peers[seat].auth = strdup(auth);
    s->peers[seat].join = strdup(join);
    s->peers[seat].seen = seen;
}

void swarm_open(swarm *s, int seat) {
    peer *p = &s->peers[seat];
    if (p->fd >= 0) end(p, EMPTY);
    p->is_stalled = 0;
    s->retry_after_ms[seat] = 0;
    begin(p);
}

void swarm_close(swarm *s, int seat) {
    if (s->peers[seat].fd >= 0) end(&s->peers[seat], EMPTY);
}

/* Stop reading, as a client does whose machine sleeps. */
void swarm_stall(swarm *s, int seat) {
    peer *p = &s->peers[seat];
    int small = STALLED_RECEIVE_BUFFER;
    if (p->fd < 0) return;
    setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    p->is_stalled = 1;
    watch(p, EPOLL_CTL_MOD, 0);
}

int swarm_say(swarm *s, int seat, const char *packet, size_t size) {
    peer *p = &s->peers[seat];
    if (p->state != READY) return 0;
    p->asked = now();
    write_frame(p, 1, packet, size);
    return 1;
}

/* Say this again after each answer, without asking Python; NULL ends it. */
void swarm_repeat(swarm *s, const char *packet) {
    keep(&s->repeated, &s->repeated_size, packet);
}

/* Send a request over a free connection; 0 if all are waiting for their answers. */
int swarm_request(swarm *s, const char *request, size_t size) {
    for (int i = 0; i < s->lanes; i++) {
        peer *p = &s->request_lanes[i];
        if (p->is_busy) continue;
        if (p->fd < 0) {
            begin(p);
            if (p->fd < 0) return 0;
            p->output = malloc(size);
            memcpy(p->output, request, size);
            p->output_size = size;
            s->counts.sent_bytes += size;
        }
        p->is_busy = 1;
        p->asked = now();
        s->counts.requests++;
        if (p->state != CONNECTING) write_bytes(p, request, size);
        return 1;
    }
    return 0;
}

/* Take what comes for so long, or until there are so many deliveries of this shard (0: no end). */
void swarm_step(swarm *s, int milliseconds, uint64_t own_deliveries) {
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t end_at = now() + milliseconds * 1000000ull;
    int left = milliseconds;
    for (;;) {
        int count = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, left);
        for (int i = 0; i < count; i++) on_event(events[i].data.ptr, events[i].events);
        if (own_deliveries && s->counts.own_deliveries >= own_deliveries) return;
        uint64_t at = now();
        if (at >= end_at) return;
        left = (int)((end_at - at + 999999) / 1000000);
    }
}

/* Record latencies from now on; what was recorded before is forgotten when it begins. */
void swarm_measure(swarm *s, int begins) {
    if (begins) memset(s->histogram, 0, sizeof s->histogram);
    s->measures = begins;
}

figures *swarm_figures(swarm *s) { return &s->counts; }
uint64_t *swarm_histogram(swarm *s, int which) { return s->histogram[which]; }
uint8_t *swarm_states(swarm *s) { return s->states; }
uint32_t *swarm_retry_after_ms(swarm *s) { return s->retry_after_ms; }
const char *swarm_last_error(swarm *s) { return s->last_error; }
uint64_t swarm_now(void) { return now(); }
