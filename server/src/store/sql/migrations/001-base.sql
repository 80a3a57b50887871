-- Drivers, their devices, and every fix that was acknowledged. Days are UTC, everywhere.

create table system (
  one boolean primary key default true check (one),
  -- Changed by hand after a restore from a backup (update system set epoch = gen_random_uuid()): pages then forget what they knew.
  epoch uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now()
);
insert into system default values;

create table drivers (
  no integer generated always as identity primary key,
  id uuid not null unique,
  name text not null check (length(name) between 1 and 200),
  vehicle text not null default '' check (length(vehicle) <= 200),
  created_at timestamptz not null default now()
);

create table devices (
  id uuid primary key,
  driver_no integer not null references drivers (no),
  token_sha256 bytea not null unique check (length(token_sha256) = 32),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index devices_driver on devices (driver_no);

-- How far each device's queue is kept: all of 1..hi are committed, stored, quarantined or skipped (P2).
create table device_queue (
  device_id uuid not null,
  qid text not null,
  hi bigint not null default 0 check (hi >= 0),
  -- Some fixes beyond a gap are stored already, and stand in fix_recent.
  ahead boolean not null default false,
  seen_at timestamptz not null,
  primary key (device_id, qid)
);

-- A partition a day of receipt, so that forgetting is a drop. A key must hold the partition's column: the same fix sent again after
-- midnight would be another row, so repeats are found by device_queue.hi and fix_recent; the key is the last wall, within a day.
create table fixes (
  device_id uuid not null,
  qid text not null,
  seq bigint not null,
  day date not null,
  driver_no integer not null,
  fix_time timestamptz not null,
  received_at timestamptz not null,
  lng float8 not null,
  lat float8 not null,
  accuracy real,
  speed real,
  heading real,
  altitude real,
  battery real,
  -- Bits: 1 mock, 2 speed, 4 heading, 8 altitude, 16 battery, 32 rollover.
  flags smallint not null default 0,
  primary key (device_id, qid, seq, day)
) partition by range (day);
create index fixes_trail on fixes (driver_no, fix_time);
create table fixes_default partition of fixes default;

-- Fixes stored beyond a gap (the newest one of a long queue, sent first): they will be sent again, perhaps on another day.
create table fix_recent (
  device_id uuid not null,
  qid text not null,
  seq bigint not null,
  received_at timestamptz not null,
  primary key (device_id, qid, seq)
);

-- Fixes that can never be right: taken, never shown (P5).
create table fix_quarantine (
  device_id uuid not null,
  qid text not null,
  seq bigint not null,
  code text not null,
  received_at timestamptz not null,
  primary key (device_id, qid, seq)
);
create index fix_quarantine_received on fix_quarantine (received_at);

-- What a full device thinned out: loss is visible (P6).
create table fix_skips (
  device_id uuid not null,
  qid text not null,
  from_seq bigint not null,
  to_seq bigint not null check (to_seq >= from_seq),
  received_at timestamptz not null,
  primary key (device_id, qid, from_seq)
);

-- The newest kept fix of each device by (fix_time, seq); moves only forward (T3).
create table device_last (
  device_id uuid primary key,
  driver_no integer not null,
  fix_time timestamptz not null,
  seq bigint not null,
  lng float8 not null,
  lat float8 not null,
  accuracy real,
  speed real,
  heading real
);
create index device_last_driver on device_last (driver_no, fix_time desc, seq desc);

-- Makes the partitions of `days` days from `first` on; rows that had to wait in the default partition move into theirs.
create function ensure_fix_partitions(first date, days integer) returns integer language plpgsql as $$
declare
  d date;
  part text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(7237123446850545265);
  for d in select first + n from generate_series(0, days - 1) as n loop
    part := 'fixes_' || to_char(d, 'YYYYMMDD');
    continue when to_regclass(part) is not null;
    execute format('create table %I (like fixes including all)', part);
    execute format('with moved as (delete from fixes_default where day = %L returning *) insert into %I select * from moved', d, part);
    execute format('alter table fixes attach partition %I for values from (%L) to (%L)', part, d, d + 1);
    made := made + 1;
  end loop;
  return made;
end $$;

-- Drops the partitions of all days before `oldest`, and what the default partition holds of them. Answers the partitions dropped.
create function drop_fix_partitions(oldest date) returns integer language plpgsql as $$
declare
  part text;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(7237123446850545265);
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'fixes'::regclass and c.relname ~ '^fixes_\d{8}$' and substr(c.relname, 7) < to_char(oldest, 'YYYYMMDD')
  loop
    execute format('drop table %I', part);
    dropped := dropped + 1;
  end loop;
  delete from fixes_default where day < oldest;
  return dropped;
end $$;
