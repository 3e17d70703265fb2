//! Under an async runtime: calls wait for the disk, so they go to the runtime's threads for
//! blocking work. A handle is cheap to clone, and any number of tasks may share it: commits that
//! wait at the same time share one sync.

use hexxladb::{Db, Error, Options};
use tokio::task::{JoinError, spawn_blocking};

/// A call of the database, away from the tasks that must not wait.
async fn on_db<T: Send + 'static>(
    db: &Db,
    call: impl FnOnce(&Db) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    let db = db.clone();
    Ok(spawn_blocking(move || call(&db)).await??)
}

#[derive(Debug)]
enum Failure {
    Database(Error),
    Task(JoinError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        Self::Task(error)
    }
}

async fn serve(db: Db) -> Result<(), Failure> {
    let mut tasks = Vec::new();
    for client in 0..8u32 {
        let db = db.clone();
        tasks.push(tokio::spawn(async move {
            for request in 0..5u32 {
                let key = format!("client {client}/request {request}");
                on_db(&db, move |db| db.update(|tx| tx.put(key, "done"))).await?;
            }
            Ok::<_, Failure>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    // A snapshot may travel between tasks; a long scan of it is blocking work as well.
    let snapshot = db.snapshot()?;
    let count = spawn_blocking(move || snapshot.scan::<&[u8]>(..).count()).await?;
    let syncs = on_db(&db, |db| Ok(db.stats_mvcc()?.wal_syncs)).await?;
    println!("{count} requests of 8 clients, {syncs} syncs");
    assert_eq!(count, 40);
    on_db(&db, Db::close).await
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // spec: API-05
    let dir = tempfile::tempdir()?;
    let db = Db::open(dir.path().join("requests.hexxladb"), Options::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match runtime.block_on(serve(db)) {
        Ok(()) => Ok(()),
        Err(Failure::Database(error)) => Err(error.into()),
        Err(Failure::Task(error)) => Err(error.into()),
    }
}
