// The checkpointer actor: the only writer of the derived store. Detached, because it waits for the disk.
//
// A checkpoint is answered (`saved`) when it is durable. Retention goes in three steps, so that neither a
// crash nor the loss of the derived store between them loses anything that is kept: plan here (where does
// each queue begin?), the commit log writes a snapshot, and only when that is committed are the segments
// removed here.
#pragma once

#include "actors/committed_view.hpp"
#include "actors/messages.hpp"
#include "storage/derived_store.hpp"
#include "storage/key_index.hpp"
#include "storage/log_store.hpp"

#include <atomic>

namespace holdfast::actors {

struct checkpointer_environment {
    storage::derived_store* store = nullptr;
    storage::log_store* log = nullptr;
    committed_view* view = nullptr;
    std::atomic<storage::key_index*>* keys = nullptr;
};

checkpointer_actor::behavior_type checkpointer(checkpointer_actor::pointer self, commit_log_actor log,
                                               checkpointer_environment environment);

} // namespace holdfast::actors
