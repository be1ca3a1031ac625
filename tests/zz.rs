//! x
use cosim::clients::ping::PingScript;
use cosim::clients::station::Station;
use cosim::programs::*;
use cosim::reference::DispatchConfig;
use cosim::system::*;
#[test]
fn zz() {
    let kernels = NetKernels::default();
    let config = Config {
        seed: 1,
        link: cosim::link::Config::both(cosim::link::Conditions { megabits: 8000, ..Default::default() }),
        bus: Default::default(),
        dispatch: DispatchConfig { max_frame: FRAME_BYTES, ..DispatchConfig::reset(4) },
        processor: Default::default(),
    };
    let mut system =
        System::new(abi::params::NicParams::new(4, 64).unwrap(), &config, |_| kernels.boot(config_(1))).unwrap();
    fn config_(s: u64) -> soft_cores::net_kernel::Config {
        cosim::programs::config(s)
    }
    let t = std::time::Instant::now();
    system.run(300_000).unwrap();
    eprintln!("idle {:.0} cycles/s", 300_000.0 / t.elapsed().as_secs_f64());
    let mut ss = vec![];
    for n in 0..16 {
        let s = Station::new(neighbour(n, 1)).shared();
        s.borrow_mut().ping(PingScript {
            target: CARD_IPV4.into(),
            count: 1000,
            payload: 1400,
            start: system.cycles() / 125 + 10,
            interval: 25,
            patience: 200,
        });
        system.add_client(s.clone());
        ss.push(s);
    }
    let t = std::time::Instant::now();
    let n = std::env::var("ZZ").map_or(400_000, |n| n.parse().unwrap());
    system.run(n).unwrap();
    eprintln!("loaded {:.0} cycles/s, {:?}", n as f64 / t.elapsed().as_secs_f64(), system.link.from_card.counters());
    for p in system.processors() {
        eprintln!("idle {}", p.idle_cycles());
    }
    let mut nic = cosim::bridge::Nic::new("n4w64").unwrap();
    let (mut i, mut o) = (cosim::bridge::Inputs::default(), cosim::bridge::Outputs::default());
    i.reset = true;
    for _ in 0..300 {
        nic.tick(&i, &mut o).unwrap();
    }
    i.reset = false;
    i.tx_tready = true;
    i.tlp_tx_tready = true;
    let t = std::time::Instant::now();
    for _ in 0..300_000 {
        nic.tick(&i, &mut o).unwrap();
    }
    eprintln!("bare idle {:.0} cycles/s", 300_000.0 / t.elapsed().as_secs_f64());
}
