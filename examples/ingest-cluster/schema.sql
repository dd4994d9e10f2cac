-- What the devices measured. Its key is what makes a message that comes twice one row.
CREATE TABLE IF NOT EXISTS readings (
  device text NOT NULL,
  sequence bigint NOT NULL,
  sent timestamptz NOT NULL,
  temperature double precision NOT NULL,
  PRIMARY KEY (device, sequence)
);

-- Messages that are no reading: kept for a person to look at, so that they hold up nobody.
CREATE TABLE IF NOT EXISTS rejected (
  topic text NOT NULL,
  payload bytea NOT NULL,
  received timestamptz NOT NULL DEFAULT now()
);
