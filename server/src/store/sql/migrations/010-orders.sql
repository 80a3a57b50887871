-- Orders and their history, runs with their stops and routes, and the rights to see them.
-- Instants are ms since the epoch (int8), as everywhere on the wire; ids are uuid v7 made by the app; tokens are SHA-256, never the token.

create table runs (
  id uuid primary key,
  name text not null,
  status text not null check (status in ('draft', 'assigned', 'started', 'finished', 'cancelled')),
  version integer not null default 1,
  driver_id uuid references drivers (id),
  start_lng float8 not null,
  start_lat float8 not null,
  route_version integer not null,
  created_at int8 not null,
  started_at int8,
  ended_at int8
);
create index runs_active on runs (driver_id) where status in ('assigned', 'started');
create index runs_status on runs (status, id desc);
-- a driver drives one run at a time
create unique index runs_one_started on runs (driver_id) where status = 'started';

-- Every route that a run ever had: what was shown then can be told later.
create table run_routes (
  run_id uuid not null references runs (id),
  version integer not null,
  line jsonb not null,
  segment_seconds jsonb,
  length_m float8 not null,
  seconds float8 not null,
  confidence text not null check (confidence in ('road', 'low')),
  source text not null,
  made_at int8 not null,
  primary key (run_id, version)
);

create table orders (
  id uuid primary key,
  number text not null unique,
  external_ref text,
  merchant text not null,
  recipient text not null,
  phone text,
  email text,
  label text not null,
  lng float8 not null check (lng between -180 and 180),
  lat float8 not null check (lat between -90 and 90),
  service_s integer not null check (service_s >= 0),
  note text,
  status text not null,
  -- sequence of the newest event
  version integer not null,
  -- when the newest change of status happened, by the clock of whoever saw it
  status_at int8 not null,
  run_id uuid references runs (id),
  stop_id uuid,
  promise_from int8,
  promise_to int8,
  created_at int8 not null,
  updated_at int8 not null
);
create unique index orders_external on orders (merchant, external_ref) where external_ref is not null;
create index orders_status on orders (status, id desc);
create index orders_run on orders (run_id);

create table order_events (
  order_id uuid not null references orders (id),
  sequence integer not null check (sequence >= 1),
  id uuid not null unique,
  type text not null,
  -- status after the event; null when it changed none
  status text,
  occurred_at int8 not null,
  recorded_at int8 not null,
  source text not null,
  late boolean not null default false,
  data jsonb not null default '{}',
  primary key (order_id, sequence)
);

create table stops (
  id uuid primary key,
  run_id uuid not null references runs (id),
  order_id uuid not null references orders (id),
  -- driving order; not unique, since a reorder passes through ties
  place integer not null,
  along_m float8 not null,
  status text not null check (status in ('pending', 'arrived', 'done', 'failed', 'cancelled')),
  window_from int8,
  window_to int8,
  window_mid int8,
  window_since int8,
  window_reason text,
  arrived_at int8,
  ended_at int8,
  fail_reason text
);
create index stops_run on stops (run_id, place);
create index stops_order on stops (order_id);

create table links (
  id uuid primary key,
  token_sha256 bytea not null unique,
  order_id uuid not null references orders (id),
  created_at int8 not null,
  expires_at int8,
  revoked_at int8
);
create index links_order on links (order_id);

create table sessions (
  id uuid primary key,
  token_sha256 bytea not null unique,
  role text not null check (role in ('admin', 'dispatcher')),
  created_at int8 not null,
  expires_at int8,
  revoked_at int8
);

-- Every window ever shown beside what came of it (T10).
create table predictions (
  stop_id uuid not null references stops (id),
  made_at int8 not null,
  horizon_s integer not null,
  from_at int8 not null,
  to_at int8 not null,
  mid_at int8 not null,
  reason text not null,
  outcome_at int8,
  primary key (stop_id, made_at)
);
create index predictions_made on predictions (made_at);

create table eta_calibration (
  one boolean primary key default true check (one),
  made_at int8 not null,
  model jsonb not null
);

-- Answers by idempotency key, kept for a week. `answer` is sealed with the key itself when it holds a secret.
create table idem (
  principal text not null,
  key_sha256 bytea not null,
  body_sha256 bytea not null,
  answer bytea,
  at int8 not null,
  primary key (principal, key_sha256)
);
create index idem_at on idem (at);
