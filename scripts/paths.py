"""The longest paths of a placed ECP5 design, estimated from where nextpnr put its cells.

Routing the whole card takes most of an hour, placing it ten minutes. The wire delays are those that nextpnr itself reckons with while it
places (speed 8), the cell delays rounded; the sum is within a few per cent of nextpnr's own estimate.
"""

import collections
import json
import re
import sys

# In ns: per step of a wire, and through cells.
STEP = 0.054
CLOCK_TO_OUT = {"TRELLIS_FF": 0.46, "DP16KD": 4.26}
LUT, PAIR, INTO_CARRY, CARRY, OUT_OF_CARRY, ENABLE = 0.18, 0.15, 0.33, 0.04, 0.32, 0.15
# Inputs that a slice connects within itself.
WITHIN = {"FCI", "FXA", "FXB", "F1"}
CONSTANTS = {"$PACKER_GND", "$PACKER_VCC"}


def longest(placed, count):
    """The longest path to each kind of endpoint, the `count` longest of them: (ns, endpoint, input, [(ns, fan-out, place, cell)])."""
    sys.setrecursionlimit(100_000)
    cells = json.loads(placed.read_text())["modules"]["top"]["cells"]
    places, drivers, fan_out = {}, {}, collections.Counter()
    for name, cell in cells.items():
        if found := re.match(r"X(\d+)/Y(\d+)/", cell["attributes"].get("NEXTPNR_BEL", "")):
            places[name] = int(found[1]), int(found[2])
        for port, bits in cell["connections"].items():
            for bit in (bit for bit in bits if isinstance(bit, int)):
                if cell["port_directions"][port] == "output":
                    drivers[bit] = name, port
                else:
                    fan_out[bit] += 1

    def wire(bit, name, port):
        source = drivers[bit][0] if bit in drivers else None
        # A constant is there from the start.
        if source in CONSTANTS or port in WITHIN or source not in places or name not in places or (port == "DI" and places[source] == places[name]):
            return 0
        x, y = (abs(a - b) for a, b in zip(places[source], places[name]))
        return STEP * (3 + max(x - 5, 0) + max(y - 5, 0) + 2 * (min(x, 5) + min(y, 5)))

    def through(port, output):
        """Delay of a slice from an input to an output; None where there is no path."""
        if port in {"CLK", "WCK", "WRE", "WD"} or port.startswith("WAD"):
            return None
        if port in {"FXA", "FXB", "F1"}:
            return None if output == "F" else PAIR
        if port == "FCI":
            return CARRY if output == "FCO" else OUT_OF_CARRY
        if port == "M":
            return PAIR if output == "OFX" else None
        return {"FCO": INTO_CARRY, "OFX": LUT + PAIR}.get(output, LUT)

    arrivals = {}

    def arrival(bit):
        """When a signal is there, and the signal that it waits for."""
        if bit not in arrivals:
            # A combinational loop would ask again.
            arrivals[bit] = 0, None
            name, output = drivers.get(bit, (None, None))
            cell = cells.get(name, {"type": None})
            if cell["type"] == "TRELLIS_COMB":
                arrivals[bit] = max(
                    ((arrival(other)[0] + wire(other, name, port) + delay, other)
                     for port, bits in cell["connections"].items() if cell["port_directions"][port] == "input"
                     for delay in [through(port, output)] if delay is not None
                     for other in bits if isinstance(other, int)),
                    default=(0, None), key=lambda a: a[0])
            else:
                arrivals[bit] = CLOCK_TO_OUT.get(cell["type"], 0), None
        return arrivals[bit]

    ends = []
    for name, cell in cells.items():
        if cell["type"] in {"TRELLIS_FF", "DP16KD", "TRELLIS_RAMW"}:
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input" and "CLK" not in port and port != "WCK":
                    late = ENABLE if port in {"CE", "LSR"} else 0
                    ends += [(arrival(bit)[0] + wire(bit, name, port) + late, name, port, bit) for bit in bits if isinstance(bit, int)]
    kinds = {}
    for end in sorted(ends, key=lambda end: -end[0]):
        kinds.setdefault(re.sub(r"\d+", "#", re.split(r"_TRELLIS|_DI_|_CE_|_LSR_", end[1])[0]), end)

    def steps(bit):
        while bit is not None:
            if bit in drivers:
                yield arrivals[bit][0], fan_out[bit], places.get(drivers[bit][0]), drivers[bit][0]
            bit = arrivals[bit][1]

    return [(time, name, port, [*steps(bit)][::-1]) for time, name, port, bit in list(kinds.values())[:count]]
