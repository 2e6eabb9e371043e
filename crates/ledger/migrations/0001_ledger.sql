-- Every training run.
CREATE TABLE experiments (
    queue_id TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C",
    version TEXT COLLATE "C",
    parameters TEXT,
    settings TEXT,
    scores TEXT,
    graph TEXT,
    -- All 64 bits, which no number here holds.
    seed TEXT,
    bar_interval TEXT,
    range_from BIGINT,
    range_to BIGINT,
    state TEXT NOT NULL,
    reason TEXT,
    attempt BIGINT NOT NULL,
    started BIGINT,
    ended BIGINT,
    told BIGINT NOT NULL,
    PRIMARY KEY (queue_id, task)
);

-- Predictions against what came.
CREATE TABLE roi (
    model TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    symbol TEXT COLLATE "C" NOT NULL,
    bar_interval TEXT COLLATE "C" NOT NULL,
    horizon BIGINT NOT NULL,
    open_time BIGINT NOT NULL,
    due BIGINT NOT NULL,
    volatility DOUBLE PRECISION NOT NULL,
    down DOUBLE PRECISION NOT NULL,
    sideways DOUBLE PRECISION NOT NULL,
    up DOUBLE PRECISION NOT NULL,
    predicted_class TEXT NOT NULL,
    realised_volatility DOUBLE PRECISION,
    realised_class TEXT,
    log_return DOUBLE PRECISION,
    gain DOUBLE PRECISION,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (model, version, symbol, bar_interval, horizon, open_time)
);
CREATE INDEX roi_open ON roi (symbol, bar_interval, due) WHERE realised_class IS NULL;
CREATE INDEX roi_symbol ON roi (symbol, bar_interval, open_time);

-- What users have chosen.
CREATE TABLE settings (
    user_name TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (user_name, name)
);
