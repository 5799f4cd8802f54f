// The key_indexer actor: builds the index of KEYS and UNIQ_KEY behind the produce path, in sorted bulk, from
// the committed log. Detached; it opens the index itself, so that a start does not wait for it.
#pragma once

#include "actors/committed_view.hpp"
#include "actors/messages.hpp"
#include "storage/key_index.hpp"
#include "storage/log_store.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

namespace holdfast::actors {

struct key_indexer_environment {
    std::filesystem::path directory;
    std::string log_id;
    storage::log_store* log = nullptr;
    committed_view* view = nullptr;
    std::atomic<storage::key_index*>* published =
        nullptr; // set when the index is open, cleared before it closes
    // Entries of one bulk: enough to make sorting worth it, little enough to hold.
    std::size_t bulk_size = 128U << 10U;
};

struct key_indexer_state {
    ~key_indexer_state();

    void set_up(key_indexer_environment environment);
    // Gathers the keys of everything committed below `until`, mostly from the entry cache, and saves them
    // whenever there are enough for a bulk. When something fails, the index stays where it was, and the next
    // call begins there.
    void gather(log_position until);
    void save();
    result<void> add_bulk();
    void stay_behind(const error& why);

    key_indexer_environment environment_;
    std::unique_ptr<storage::key_index> index_;
    std::vector<storage::key_entry> bulk_; // of [indexed, gathered)
    log_position gathered_until_;
    bool save_is_due_ = false;
};

key_indexer_actor::behavior_type key_indexer(key_indexer_actor::stateful_pointer<key_indexer_state> self,
                                             key_indexer_environment environment);

} // namespace holdfast::actors
