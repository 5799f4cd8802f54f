// The audit of a data directory: does everything in it hold, and does everything fit together?
//
// One pass over the log verifies each entry (checksum, own position, hash chain, terms), the form of each
// command and each stored record, and applies all of it to an empty state, as a start without a derived store
// would. On the way it is compared with what the derived store holds: topics, groups, offsets and queue
// bounds as of the store's position, every queue index entry as it comes. The tables themselves are read in
// full against RocksDB's checksums. Keys are compared as a sum over each GiB of log; only where the sums
// differ, a second pass finds out which key is missing.
//
// Changes nothing and needs no lock, so it works beside a running node, on what that node has on the disk:
// the log up to its end, the derived store as of its last checkpoint.
//
// Memory does not grow with the log: some 50 MiB (a window of the log, 256k index entries, the tables'
// caches), and besides the state itself (topics, groups, offsets, 100 bytes a queue). Naming missing keys
// takes 32 MiB more. 10 GiB of log take about as long as the disk needs to read them, twice where retention
// has taken the log's beginning.
#pragma once

#include "base/result.hpp"
#include "broker/audit_report.hpp"
#include "storage/file.hpp"

namespace holdfast::broker {

// `directory` is a node's storePathRootDir; `running`: a node has it open now. What is wrong is in the
// report; an error means that there was nothing to audit: no data directory, or it can't be read.
result<audit_report> audit(storage::file_system& files, const storage::path& directory, bool running);

} // namespace holdfast::broker
