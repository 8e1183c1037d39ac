/* Floor of UDP fan-out: sendmmsg of one payload to COUNT addresses 127.x.y.z:PORT, ROUNDS times.
   Prints CPU microseconds per datagram. Arguments: port, count, bytes, rounds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]), count = atoi(argv[2]), bytes = atoi(argv[3]), rounds = atoi(argv[4]);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    struct sockaddr_in6 *addresses = calloc(count, sizeof *addresses);
    struct mmsghdr *messages = calloc(count, sizeof *messages);
    char *payload = calloc(1, bytes);
    struct iovec iov = {payload, bytes};
    for (int i = 0; i < count; i++) {
        unsigned char *ip = addresses[i].sin6_addr.s6_addr;
        addresses[i].sin6_family = AF_INET6;
        addresses[i].sin6_port = htons(port);
        ip[10] = ip[11] = 255;
        ip[12] = 127; ip[13] = 1 + (i >> 16); ip[14] = i >> 8; ip[15] = i;
        messages[i].msg_hdr.msg_name = &addresses[i];
        messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
        messages[i].msg_hdr.msg_iov = &iov;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (int round = 0; round < rounds; round++)
        for (int sent = 0; sent < count;) {
            int n = sendmmsg(fd, messages + sent, count - sent > 1024 ? 1024 : count - sent, 0);
            sent += n > 0 ? n : 1;
        }
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("%f\n", (cpu.tv_sec * 1e6 + cpu.tv_nsec / 1e3) / count / rounds);
    return 0;
}
