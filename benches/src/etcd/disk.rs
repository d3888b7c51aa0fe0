use std::path::Path;

/// What the server's files are on: the file system, and whether that is memory.
pub(crate) fn of_temporary_files() -> String {
    let folder = std::env::temp_dir();
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let kind = mounts.lines().filter_map(|line| {
        let mut parts = line.split(' ').skip(1);
        let (mounted, kind) = (parts.next()?, parts.next()?);
        folder
            .starts_with(Path::new(mounted))
            .then_some((mounted.len(), kind))
    });
    let kind = kind.max_by_key(|(length, _)| *length);
    let kind = kind.map_or("an unknown file system", |(_, kind)| kind);
    format!("{} ({kind})", folder.display())
}
