use super::desk::Desk;
use super::{Interrupt, LabError};
use crate::contender::Words;
use crate::scenario::Listener;
use crate::world::{Server, clock};
use seawall_model::Moment;
use std::time::Duration;

/// How often what is due is published.
const TICK: Duration = Duration::from_millis(2);
/// One message in so many is followed by one to a channel that nobody subscribed to.
const STRAY_EVERY: u64 = 50;

/// Publishes to the scenario's listeners for as long as the load lasts, over a connection of the lab's own, straight to the
/// server.
pub(super) fn publish(
    listeners: &[Listener],
    server: &Server,
    began: Moment,
    lasts: Duration,
    interrupt: &Interrupt,
) -> Result<(), LabError> {
    if listeners.is_empty() {
        return Ok(());
    }
    let doing = "publish messages";
    let mut desk = Desk::open(server.addr(), &server.access()).map_err(LabError::desk(doing))?;
    let mut sent = vec![0; listeners.len()];
    loop {
        let after = clock::now().since(began).min(lasts);
        let mut commands: Vec<Words> = Vec::new();
        for (place, listener) in listeners.iter().enumerate() {
            let due = listener.due_by(after);
            for number in sent[place]..due {
                commands.extend(publications(listener, place, number));
            }
            sent[place] = due;
        }
        desk.ask(&commands).map_err(LabError::desk(doing))?;
        if interrupt.is_raised() {
            return Err(LabError::Interrupted);
        }
        if after == lasts {
            return Ok(());
        }
        clock::sleep_until(clock::now() + TICK);
    }
}

fn publications(listener: &Listener, place: usize, number: u64) -> impl Iterator<Item = Words> {
    let (channel, payload) = listener.message(place, number);
    let stray = number.is_multiple_of(STRAY_EVERY).then(|| {
        let payload = payload.clone();
        vec![b"PUBLISH".to_vec(), Listener::other_channel(place), payload]
    });
    [vec![b"PUBLISH".to_vec(), channel, payload]]
        .into_iter()
        .chain(stray)
}
