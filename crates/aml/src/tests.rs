use super::*;
use std::time::Duration;

#[test]
fn smoke() {
    let src = std::fs::read_to_string("/tmp/t.aml").unwrap();
    let limits = Limits::default();
    match Document::parse_text("t", &src, &limits) {
        Err(d) => d.iter().for_each(|d| println!("{}\n{}", d.plain_line(), d.render())),
        Ok(doc) => match doc.evaluate(&Inputs::default(), &limits, &|| Duration::ZERO) {
            Ok(o) => println!("{}\n{:?} {:?}", o.value.pretty(), o.usage, o.debug),
            Err(d) => println!("{}\n{}", d.plain_line(), d.render()),
        },
    }
}
