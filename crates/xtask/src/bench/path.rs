//! The whole path of an event: ingress, durable log, dispatcher, function; 1 KB each, acknowledged after its fsync.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    Unit, figure,
    load::{Load, quantile},
    platform::{Platform, write_command},
    process::{children, cpu_time, resident},
    scrape::Scrape,
};

const RUNS: usize = 5;
const EVENTS: u64 = 50_000;
const ALONE: usize = 1_000;
const CONNECTIONS: u64 = 64;
const BYTES: usize = 1024;
const PATIENCE: Duration = Duration::from_mins(1);

/// Floods a platform, then sends one event at a time.
pub(super) fn run() -> Result<()> {
    let platform = Platform::start("")?;
    let worker = await_worker(&platform)?;
    let mut scrape = Scrape::of(worker)?;
    let mut throughput = Vec::new();
    let [mut platform_cpu, mut worker_cpu, mut load_cpu] = [const { Vec::new() }; 3];
    let mut p99 = Vec::new();
    flood(&platform, &mut scrape, EVENTS / 10)?;
    for _ in 0..RUNS {
        let before = (cpu_time(platform.id())?, cpu_time(worker)?);
        let flood = flood(&platform, &mut scrape, EVENTS)?;
        let by_event = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(u32::try_from(EVENTS).unwrap_or(u32::MAX));
        throughput.push(flood.rate);
        p99.push(flood.accepted_p99);
        platform_cpu.push(by_event(cpu_time(platform.id())?.saturating_sub(before.0)));
        worker_cpu.push(by_event(cpu_time(worker)?.saturating_sub(before.1)));
        load_cpu.push(by_event(flood.cpu));
    }
    let resident = resident(platform.id())? + resident(worker)?;
    figure(&format!("events of 1 KB handled, {CONNECTIONS} connections"), Unit::PerSecond("events"), throughput);
    figure("accepted (202) meanwhile, p99", Unit::Milliseconds, p99);
    figure("CPU time of the platform for one event", Unit::Milliseconds, platform_cpu);
    figure("CPU time of the function for one event", Unit::Milliseconds, worker_cpu);
    figure("CPU time of the load for one event, on the same cores", Unit::Milliseconds, load_cpu);
    let mut alone = Alone::default();
    for _ in 0..RUNS {
        alone.measure(&platform, &mut scrape)?;
    }
    figure("one at a time, accepted (202), p50", Unit::Milliseconds, alone.accepted_p50);
    figure("one at a time, accepted (202), p99", Unit::Milliseconds, alone.accepted_p99);
    figure("one at a time, done by the function, p50", Unit::Milliseconds, alone.done_p50);
    figure("one at a time, done by the function, p99", Unit::Milliseconds, alone.done_p99);
    figure("resident memory of platform and function after the flood", Unit::Mebibytes, vec![resident]);
    Ok(())
}

struct Flood {
    rate: f64,
    accepted_p99: f64,
    cpu: Duration,
}

/// Posts events as fast as they are accepted, and waits until the function has done all of them.
fn flood(platform: &Platform, scrape: &mut Scrape, events: u64) -> Result<Flood> {
    let goal = scrape.done()? + events;
    let load = Load { address: platform.ingress, connections: CONNECTIONS, requests: events, status: "202", request };
    let started = Instant::now();
    let answers = load.run()?;
    while scrape.done()? < goal {
        ensure!(started.elapsed() < PATIENCE, "the function got too few events: {} of {goal}", scrape.done()?);
        thread::sleep(Duration::from_millis(2));
    }
    let rate = f64::from(u32::try_from(events)?) / started.elapsed().as_secs_f64();
    Ok(Flood { rate, accepted_p99: quantile(&answers.latencies, 0.99), cpu: answers.cpu })
}

#[derive(Default)]
struct Alone {
    accepted_p50: Vec<f64>,
    accepted_p99: Vec<f64>,
    done_p50: Vec<f64>,
    done_p99: Vec<f64>,
}

impl Alone {
    /// The function's metrics are asked again and again, so an event is seen up to one scrape later than it was done.
    fn measure(&mut self, platform: &Platform, scrape: &mut Scrape) -> Result<()> {
        let load = Load { address: platform.ingress, connections: 1, requests: 1, status: "202", request };
        let mut accepted = Vec::new();
        let mut done = Vec::new();
        let mut goal = scrape.done()?;
        let mut connection = load.open()?;
        for _ in 0..ALONE {
            goal += 1;
            let sent = Instant::now();
            accepted.push(connection.exchange(goal)?);
            while scrape.done()? < goal {
                ensure!(sent.elapsed() < PATIENCE, "the function did not get event {goal}");
            }
            done.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
        self.accepted_p50.push(quantile(&accepted, 0.5));
        self.accepted_p99.push(quantile(&accepted, 0.99));
        self.done_p50.push(quantile(&done, 0.5));
        self.done_p99.push(quantile(&done, 0.99));
        Ok(())
    }
}

fn await_worker(platform: &Platform) -> Result<u32> {
    let started = Instant::now();
    loop {
        if let Some(worker) = children(platform.id())?.first().copied()
            && Scrape::of(worker).is_ok()
        {
            return Ok(worker);
        }
        ensure!(started.elapsed() < PATIENCE, "no worker came up");
        thread::sleep(Duration::from_millis(10));
    }
}

fn request(number: u64, request: &mut Vec<u8>) {
    write_command(number, "start", BYTES, request);
}
