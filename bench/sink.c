/* Takes every datagram that comes to PORT on any address of this machine and forgets it. Argument: port. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 64 << 20;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) return 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    static struct mmsghdr messages[1024];
    static struct iovec iov[1024];
    static char data[1024][1500];
    for (int i = 0; i < 1024; i++) {
        iov[i].iov_base = data[i];
        iov[i].iov_len = sizeof data[i];
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) recvmmsg(fd, messages, 1024, MSG_WAITFORONE, 0);
}
