"""Where the block RAMs of a placed ECP5 design should rather be.

nextpnr's static placer leaves many of them far from what they are connected with: a tenth of all wire, most of it along the three rows that
have all the block RAM, which then cannot be routed. With the RAMs at the sites given here the design is placed once more.
"""

import collections
import json
import re

import numpy
from scipy.optimize import linear_sum_assignment

# Clock and reset, which reach everywhere.
EVERYWHERE = 2000


def sites(placed):
    """The site of each block RAM for which the wire of all (half the perimeter around each net) is short, all else where it is."""
    cells = json.loads(placed.read_text())["modules"]["top"]["cells"]
    bels = {name: cell["attributes"].get("NEXTPNR_BEL", "") for name, cell in cells.items()}
    places = {name: (int(at[1]), int(at[2])) for name, bel in bels.items() if (at := re.match(r"X(\d+)/Y(\d+)/", bel))}
    rams = sorted(name for name in places if cells[name]["type"] == "DP16KD")
    nets = collections.defaultdict(set)
    for name in places:
        for bits in cells[name]["connections"].values():
            for bit in (bit for bit in bits if isinstance(bit, int)):
                nets[bit].add(name)
    nets = [net for net in nets.values() if 1 < len(net) < EVERYWHERE and any(cells[name]["type"] == "DP16KD" for name in net)]
    nets_of = {ram: [net for net in nets if ram in net] for ram in rams}
    # Every row has the columns that some row has.
    columns = {places[ram][0]: bels[ram].rpartition("/")[2] for ram in rams}
    rows = sorted({places[ram][1] for ram in rams})
    free = [(x, y) for y in rows for x in sorted(columns)]
    xs, ys = numpy.array(free).T

    def wire():
        boxes = [list(zip(*(places[name] for name in net))) for net in nets]
        return sum(max(x) - min(x) + max(y) - min(y) for x, y in boxes)

    def cost(ram):
        """The wire of its nets at every site."""
        total = numpy.zeros(len(free))
        for net in nets_of[ram]:
            x, y = zip(*(places[name] for name in net if name != ram))
            total += numpy.maximum(xs, max(x)) - numpy.minimum(xs, min(x)) + numpy.maximum(ys, max(y)) - numpy.minimum(ys, min(y))
        return total

    best = wire(), dict(places)
    while True:
        _, chosen = linear_sum_assignment([cost(ram) for ram in rams])
        places |= {ram: free[site] for ram, site in zip(rams, chosen)}
        # All were moved at once, each as if the others stayed: what they share may have become longer.
        if (now := wire()) >= best[0]:
            break
        best = now, dict(places)
    return {ram: "X{}/Y{}/{}".format(*best[1][ram], columns[best[1][ram][0]]) for ram in rams}
