/* Floor of the HTTP mounts: send(2) of one block to each of COUNT accepted TCP sockets, a round each PERIOD.
   Prints its port, waits for COUNT connections and 300 ms more; then sends ROUNDS rounds, paced by absolute
   deadline, and prints CPU microseconds per send. Arguments: count, bytes, rounds, period in milliseconds. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static double cpu_us(void) {
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return cpu.tv_sec * 1e6 + cpu.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int count = atoi(argv[1]), bytes = atoi(argv[2]), rounds = atoi(argv[3]), period = atoi(argv[4]), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int door = socket(AF_INET, SOCK_STREAM, 0), room = 16384;
    if (bind(door, (struct sockaddr *)&address, length) || listen(door, 4096)) return 1;
    getsockname(door, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int *lines = calloc(count, sizeof *lines);
    char *block = calloc(1, bytes);
    for (int i = 0; i < count; i++) {
        if ((lines[i] = accept4(door, NULL, NULL, SOCK_NONBLOCK)) < 0) return 1;
        setsockopt(lines[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(lines[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    long wait = 300, lost = 0;
    double begun = cpu_us();
    for (int round = 0; round < rounds; round++, wait = period) {
        due.tv_nsec += wait * 1000000;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        for (int i = 0; i < count; i++)
            lost += send(lines[i], block, bytes, MSG_NOSIGNAL) != bytes;
    }
    double spent = cpu_us() - begun;
    if (lost) fprintf(stderr, "%ld sends failed\n", lost);
    printf("%f\n", spent / count / rounds);
    return lost != 0;
}
