fn main() {
    let url = std::env::args().nth(1).unwrap();
    let c = seawall::blocking::Client::open(&url).unwrap();
    for i in 0..5 {
        println!("{:?}", c.set("a", i).map_err(|e| println!("{e}")));
        println!("{:?}", c.get::<Option<String>>("a").map_err(|e| println!("{e}")));
    }
    println!("{:?}", c.incr("n"));
    println!("{:?}", c.transaction(&seawall::Pipeline::new().add(seawall::Cmd::new("INCR").arg("x")).add(seawall::Cmd::new("GET").arg("a"))));
    println!("{:?}", c.pipeline(&seawall::Pipeline::new().add(seawall::Cmd::new("INCR").arg("x")).add(seawall::Cmd::new("LPUSH").arg("a").arg(1))).map(|v| v.into_iter().map(|r| r.map_err(|e| e.to_string())).collect::<Vec<_>>()));
    println!("{:?}", c.stats());
    let t = std::time::Instant::now();
    for _ in 0..50_000 { c.get::<Option<String>>("a").unwrap(); }
    println!("{:?}/get", t.elapsed() / 50_000);
    match c.call::<seawall::Value>(&seawall::Cmd::new("BLPOP").arg("nokey").arg("0.3")) { Ok(v) => println!("{v:?}"), Err(e) => println!("{e}") }
}
