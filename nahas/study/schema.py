"""The study file's tables: a SQLite database marked as ours, one schema number."""

from __future__ import annotations

APPLICATION_ID = 0x6E616861
"""'naha' in ASCII, in SQLite's header field that tells whose file it is."""

SCHEMA_VERSION = 3
"""Raised by every change of the tables; a reader refuses newer ones, `migrations` brings older
ones up."""

# One row in `study` and in `controller`. A trial's choice is one little-endian uint16 per
# decision; `space` names the decisions and their values, so that a file explains itself. Where
# the option `cost_model` is set, the costs of `trials` are predicted, and `simulated` holds what
# the simulator says of some of them. `in_flight` holds the batches that the kept controller has
# proposed and not learnt from: its choices, one after the other. `phase` counts the parts of a
# search that has several; `failure` tells why a trial's accuracy could not be had, 0 that it was.
TABLES = """
CREATE TABLE study (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    schema_version INTEGER NOT NULL,
    space TEXT NOT NULL,
    seed INTEGER NOT NULL,
    options TEXT NOT NULL,
    fingerprints TEXT NOT NULL,
    versions TEXT NOT NULL,
    notes TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    choice BLOB NOT NULL,
    accuracy REAL,
    latency_ms REAL,
    energy_mj REAL,
    area_mm2 REAL,
    parameters INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    reward REAL NOT NULL,
    feasible INTEGER NOT NULL,
    satisfied INTEGER NOT NULL,
    time REAL NOT NULL,
    phase INTEGER NOT NULL DEFAULT 0,
    failure INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE simulated (
    number INTEGER PRIMARY KEY,
    latency_ms REAL NOT NULL,
    energy_mj REAL NOT NULL,
    area_mm2 REAL NOT NULL,
    reason INTEGER NOT NULL,
    reward REAL NOT NULL,
    satisfied INTEGER NOT NULL
);
CREATE TABLE controller (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    trials INTEGER NOT NULL,
    state BLOB NOT NULL
);
CREATE TABLE in_flight (
    batch INTEGER PRIMARY KEY,
    choices BLOB NOT NULL
);
"""

PUT_STUDY = "INSERT INTO study VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?)"

# Replacing: a batch that was cut short by the trial limit is drawn again, and longer, on resume.
PUT_TRIAL = f"INSERT OR REPLACE INTO trials VALUES ({', '.join('?' * 15)})"

PUT_SIMULATED = "INSERT INTO simulated VALUES (?, ?, ?, ?, ?, ?, ?)"

PUT_STATE = "INSERT OR REPLACE INTO controller VALUES (0, ?, ?)"

PUT_IN_FLIGHT = "INSERT INTO in_flight VALUES (?, ?)"

PUT_NOTES = "UPDATE study SET notes = ?"

GET_NUMBERS = """
SELECT MIN(number), MAX(number), COUNT(*), (SELECT trials FROM controller) FROM trials
"""

GET_TRIALS = """
SELECT number, choice, accuracy, latency_ms, energy_mj, area_mm2, parameters, reason, reward,
       satisfied, time, phase, failure
FROM trials ORDER BY number
"""

GET_SIMULATED = """
SELECT number, choice, accuracy, s.latency_ms, s.energy_mj, s.area_mm2, parameters, s.reason,
       s.reward, s.satisfied, time, phase, failure
FROM simulated AS s JOIN trials USING (number) ORDER BY number
"""

GET_IN_FLIGHT = "SELECT batch, choices FROM in_flight ORDER BY batch"
