"""Call an endpoint over and over, on connections that stay open if they may: HOST PORT PATH CALLERS SECONDS.

Prints answers a second and the median of ms that one takes. Raw sockets, so that the caller hardly counts.
"""

import socket
import statistics
import sys
import threading
import time


def _call(host: str, port: int, path: str, end: float, took_ms: list[float]) -> None:
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", "Content-Length: 2", "", ""]
    data = "\r\n".join(head).encode() + b"{}"
    connection, kept = socket.create_connection((host, port), timeout=10), b""
    while time.monotonic() < end:
        began = time.perf_counter()
        try:
            connection.sendall(data)
            kept = _answer(connection)
        except OSError:
            kept = b""
        if kept:
            took_ms.append((time.perf_counter() - began) * 1000)
        if not kept or b"\r\nConnection: close" in kept:
            connection.close()
            connection = socket.create_connection((host, port), timeout=10)
    connection.close()


def _answer(connection: socket.socket) -> bytes:
    """Return the head of the next answer once its body is here, too; nothing if the connection ended."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(65536)
        if not piece:
            return b""
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    named = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    left = int(named[b"content-length"]) - len(body)
    while left > 0:
        left -= len(connection.recv(left)) or left
    return head


def _main(host: str, port: str, path: str, connections: str, seconds: str) -> None:
    took_ms: list[float] = []
    end = time.monotonic() + float(seconds)
    arguments = (host, int(port), path, end, took_ms)
    threads = [threading.Thread(target=_call, args=arguments) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(took_ms) / float(seconds):.1f} {statistics.median(took_ms):.3f}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
