#!/usr/bin/env python3
"""Records tests/data/mixed.pcapng: real traffic between two network namespaces.

Usage, as root: capture-mixed.py OUTPUT.pcapng
Needs iproute2, ethtool, ping (iputils) and dumpcap (wireshark-common). Removes the namespaces at the end.
"""

import ctypes
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

CLIENT, SERVER = "pointsman-c", "pointsman-s"
SERVER_4, SERVER_6 = "10.66.0.100", "fd66::100"
CLIENTS_4 = [f"10.66.0.{i}" for i in (1, 2, 3, 7, 12, 29)]
CLIENTS_6 = [f"fd66::{i}" for i in ("1", "a:2", "b00:3")]
IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59
CLONE_NEWNET = 0x4000_0000
PAYLOAD = random.Random(1)


def run(command):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def enter(namespace):
    """Moves this thread, and the sockets it makes, into a namespace."""
    with open(f"/run/netns/{namespace}") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def serve(ready):
    """Answers a TCP request (four bytes: the wanted length) and a UDP datagram (with its first 200 bytes)."""
    enter(SERVER)

    def tcp(listener):
        while True:
            connection, _ = listener.accept()
            with connection:
                (length,) = struct.unpack("!I", connection.recv(4, socket.MSG_WAITALL))
                connection.sendall(PAYLOAD.randbytes(length))

    def udp(bound):
        while True:
            data, peer = bound.recvfrom(65536)
            bound.sendto(data[:200], peer)

    for family, address in ((socket.AF_INET, SERVER_4), (socket.AF_INET6, SERVER_6)):
        for port in (5001, 5002):
            listener = socket.create_server((address, port), family=family)
            threading.Thread(target=tcp, args=(listener,), daemon=True).start()
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind((address, 7))
        threading.Thread(target=udp, args=(bound,), daemon=True).start()
    ready.set()


def fetch(source, target, port, length):
    with socket.create_connection((target, port), source_address=(source, 0)) as connection:
        connection.sendall(struct.pack("!I", length))
        while connection.recv(65536):
            pass


def ask(source, target, length, option=None):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        if option:
            sender.setsockopt(*option)
        sender.settimeout(2)
        sender.bind((source, 0))
        sender.sendto(PAYLOAD.randbytes(length), (target, 7))
        sender.recv(65536)


def inject(frames):
    """Frames that this kernel cannot make: tags, and what is not IP."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("veth", 0))
        for frame in frames:
            raw.send(frame)
            time.sleep(0.01)


def mac(namespace):
    text = subprocess.check_output(["ip", "-n", namespace, "-br", "link", "show", "veth"], text=True)
    return bytes.fromhex(text.split()[2].replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, sport, length):
    """An IPv4 datagram to the server's port 9 (discard); a UDP checksum of zero means none."""
    udp = struct.pack("!HHHH", sport, 9, 8 + length, 0) + PAYLOAD.randbytes(length)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), sport, 0, 64, 17, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(SERVER_4)
    return head[:10] + struct.pack("!H", checksum(head + addresses)) + addresses + udp


def tagged_and_other_frames():
    addresses = mac(SERVER) + mac(CLIENT)
    ipv4 = b"\x08\x00"
    for i, source in enumerate(CLIENTS_4[:4]):
        yield addresses + struct.pack("!HH", 0x8100, 10 + i) + ipv4 + datagram(source, 7000 + i, 60)
        yield (addresses + struct.pack("!HHHH", 0x88A8, 20 + i, 0x8100, 30 + i) + ipv4
               + datagram(source, 7000 + i, 60))
    # A discovery frame (LLDP: chassis, port, time to live, end) and a bridge's hello (802.3 length, LLC, STP).
    yield (bytes.fromhex("0180c200000e") + mac(CLIENT) + bytes.fromhex("88cc0207 04") + mac(CLIENT)
           + bytes.fromhex("04050576657468 06020078 0000")).ljust(60, b"\0")
    yield (bytes.fromhex("0180c2000000") + mac(CLIENT) + bytes.fromhex("0026 424203 0000 00 00 00")
           + bytes(32)).ljust(60, b"\0")


def traffic():
    for i, source in enumerate(CLIENTS_4):
        fetch(source, SERVER_4, 5001, 300 + 900 * i)
        fetch(source, SERVER_4, 5002, 40 * i)
    for i, source in enumerate(CLIENTS_6):
        fetch(source, SERVER_6, 5001, 200 + 1500 * i)
    for i in range(18):
        ask(CLIENTS_4[i % 6], SERVER_4, 20 + 60 * i)
    for i in range(6):
        ask(CLIENTS_6[i % 3], SERVER_6, 30 + 200 * i)
    # Longer than the link's 1,500 bytes: fragments.
    for i in range(6):
        ask(CLIENTS_4[i], SERVER_4, 1600 + 700 * i)
    for i in range(3):
        ask(CLIENTS_6[i], SERVER_6, 1800 + 1200 * i)
    record_route = bytes([7, 11, 4]) + bytes(8) + b"\0"
    ask(CLIENTS_4[0], SERVER_4, 100, (socket.IPPROTO_IP, socket.IP_OPTIONS, record_route))
    pad = bytes([0, 0, 1, 4, 0, 0, 0, 0])
    ask(CLIENTS_6[0], SERVER_6, 100, (socket.IPPROTO_IPV6, IPV6_HOPOPTS, pad))
    ask(CLIENTS_6[1], SERVER_6, 100, (socket.IPPROTO_IPV6, IPV6_DSTOPTS, pad))
    ask(CLIENTS_6[2], SERVER_6, 2000, (socket.IPPROTO_IPV6, IPV6_HOPOPTS, pad))
    for source, target in ((CLIENTS_4[1], SERVER_4), (CLIENTS_6[1], SERVER_6)):
        for size in (56, 3000):
            run(f"ip netns exec {CLIENT} ping -q -c 2 -i 0.2 -s {size} -I {source} {target}")
    inject(tagged_and_other_frames())


def strip_host(path):
    """Takes the names of the recording machine's processor and kernel out of the file."""
    with open(path, "rb") as handle:
        data = handle.read()
    kept, at = b"", 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        block = data[at : at + length]
        at += length
        # Section header and interface description: their fixed part, and for the latter the time resolution, 1 ns.
        if kind == 0x0A0D0D0A:
            block = struct.pack("<II", kind, 28) + block[8:24] + struct.pack("<I", 28)
        elif kind == 1:
            resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
            block = struct.pack("<II", kind, 32) + block[8:16] + resolution + struct.pack("<I", 32)
        if kind in (0x0A0D0D0A, 1, 6):
            kept += block
    with open(path, "wb") as handle:
        handle.write(kept)


def main(output):
    for namespace in (CLIENT, SERVER):
        run(f"ip netns add {namespace}")
    run(f"ip -n {CLIENT} link add veth type veth peer name veth netns {SERVER}")
    for namespace in (CLIENT, SERVER):
        # Each frame as it would stand on a wire: complete checksums, nothing longer than the link allows.
        run(f"ip netns exec {namespace} ethtool -K veth tx off rx off tso off gso off gro off")
        run(f"ip -n {namespace} link set lo up")
    run(f"ip -n {SERVER} link set veth up")
    capture = subprocess.Popen(["ip", "netns", "exec", SERVER, "dumpcap", "-q", "-i", "veth", "-w", output])
    time.sleep(2)
    run(f"ip -n {CLIENT} link set veth up")
    for address in CLIENTS_4:
        run(f"ip -n {CLIENT} address add {address}/24 dev veth")
    for address in CLIENTS_6:
        run(f"ip -n {CLIENT} address add {address}/64 dev veth")
    run(f"ip -n {SERVER} address add {SERVER_4}/24 dev veth")
    run(f"ip -n {SERVER} address add {SERVER_6}/64 dev veth")
    # Duplicate address detection: part of the traffic, and nothing can be bound before its end.
    time.sleep(3)
    ready = threading.Event()
    threading.Thread(target=serve, args=(ready,), daemon=True).start()
    ready.wait(5)
    enter(CLIENT)
    traffic()
    time.sleep(1)
    capture.terminate()
    capture.wait()
    strip_host(output)


if __name__ == "__main__":
    if len(sys.argv) != 2 or os.geteuid() != 0:
        sys.exit(__doc__)
    try:
        main(os.path.abspath(sys.argv[1]))
    finally:
        for name in (CLIENT, SERVER):
            subprocess.run(["ip", "netns", "del", name], check=False)
