// The flusher actor: the only one with the log's write file descriptors. It has a thread of its own
// (detached), because it spends its life waiting for the disk.
//
// SYNC_FLUSH: each request is written and flushed before it is reported. ASYNC_FLUSH: reported when written,
// flushed every so often. After the first failure it reports that failure for ever (log_writer fences
// itself).
#pragma once

#include "actors/messages.hpp"
#include "storage/log_store.hpp"

#include <chrono>

namespace holdfast::actors {

struct flusher_settings {
    bool sync = true;
    std::chrono::milliseconds async_interval{500};
};

using flusher_body = caf::typed_actor<caf::reacts_to<flush_atom, flush_request_ptr>,
                                      caf::reacts_to<cut_atom, log_position>, caf::reacts_to<tick_atom>>;

flusher_body::behavior_type flusher(flusher_body::pointer self, commit_log_actor log,
                                    storage::log_store* store, flusher_settings settings);

} // namespace holdfast::actors
