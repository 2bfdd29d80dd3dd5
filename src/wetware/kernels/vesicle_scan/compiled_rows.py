"""Where things lie in the loops of ``vesicle_scan``: the rows of a group of keys at work, and the table of a head."""

from __future__ import annotations

import numpy as np

LANES = 32
U, ONE = np.uint64, np.float32(1.0)
WIDTH = U(LANES)
# rows of a group at work: the state but the ring, then what one query needs (a draw takes three rows after OUT), then the ring
C, B, R, P, S, X, E, IN, D, OUT = (U(LANES * row) for row in range(10))
RING = U(LANES * 13)
# a row of the table of a head: the kinetics, with k1, k2 and k3 squared, and a number for the sensors
THETA, RHO, KON, KOFF, K1, K2, K3, KAPPA, ETA, PRIMING, RS, CS, X0, RX, CX, RE, CE, LAM, EPS, MIXED = range(20)
SYT1, SYT7, RESERVE = np.float32(0.7), np.float32(0.3), np.float32(3.0)
MOST = np.float32(80.0)  # size of an exponent, beyond which nothing changes any more
