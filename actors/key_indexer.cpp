#include "actors/key_indexer.hpp"

#include "broker/record_keys.hpp"
#include "storage/log_scanner.hpp"

#include <algorithm>
#include <chrono>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

// When there are fewer entries than a bulk has, they are saved after this time.
constexpr std::chrono::seconds save_interval{1};
constexpr log_position save_now{~std::uint64_t{0}}; // from itself to itself

} // namespace

key_indexer_state::~key_indexer_state() {
    if (environment_.published != nullptr)
        environment_.published->store(nullptr, std::memory_order_release);
}

void key_indexer_state::set_up(key_indexer_environment environment) {
    environment_ = std::move(environment);
    auto opened = storage::key_index::open(environment_.directory, environment_.log_id);
    // It is derived from the log, so what does not fit is thrown away and built again. The log may have lost
    // its end (a power cut with ASYNC_FLUSH, acceptDataLoss); what is written there anew must be indexed too.
    const auto end = environment_.log->recovered().end;
    const bool ahead = opened.ok() && (*opened)->indexed_until() > end;
    if (ahead || (!opened.ok() && opened.failure().code != errc::unavailable)) {
        spdlog::warn("the key index is built anew: {}",
                     ahead ? "it is ahead of the log, which ended at " + std::to_string(end.value())
                           : opened.failure().message);
        opened = error{errc::corrupted, "it does not fit the log and could not be removed"};
        if (storage::key_index::destroy(environment_.directory).ok())
            opened = storage::key_index::open(environment_.directory, environment_.log_id);
    }
    if (!opened.ok()) {
        spdlog::error("look-ups by key are not available: {}", opened.failure().message);
        return;
    }
    index_ = std::move(*opened);
    environment_.published->store(index_.get(), std::memory_order_release);
}

void key_indexer_state::gather(log_position until) {
    if (!index_)
        return;
    gathered_until_ = std::max({gathered_until_, index_->indexed_until(), environment_.view->marks().first});
    if (until <= gathered_until_)
        return;
    const auto visit = [&](const storage::scanned_entry& entry) -> result<void> {
        if (bulk_.size() >= environment_.bulk_size) {
            gathered_until_ = entry.header.position;
            if (auto added = add_bulk(); !added.ok())
                return added; // to go on would leave a hole
        }
        return broker::append_keys(entry.bytes, entry.header.position, bulk_);
    };
    const auto outcome = storage::for_each_entry(environment_.log->segments(), gathered_until_, until, visit,
                                                 &environment_.log->cache());
    if (!outcome.ok())
        return stay_behind(outcome.failure());
    gathered_until_ = until;
}

void key_indexer_state::save() {
    if (auto added = add_bulk(); !added.ok())
        stay_behind(added.failure());
}

result<void> key_indexer_state::add_bulk() {
    if (!index_ || gathered_until_ <= index_->indexed_until())
        return {};
    auto added = index_->add(bulk_, gathered_until_);
    bulk_.clear();
    return added;
}

void key_indexer_state::stay_behind(const error& why) {
    spdlog::warn("the key index stays behind at {}: {}", index_->indexed_until().value(), why.message);
    bulk_.clear(); // it is gathered again
    gathered_until_ = {};
}

key_indexer_actor::behavior_type key_indexer(key_indexer_actor::stateful_pointer<key_indexer_state> self,
                                             key_indexer_environment environment) {
    self->state.environment_.published = environment.published;
    // Opening takes a while: on the own thread, not in the caller's spawn.
    self->send(self, index_atom::value, log_position{0});
    auto opened = std::make_shared<bool>(false);
    return {[self, environment, opened](index_atom, log_position until) {
        auto& state = self->state;
        if (!std::exchange(*opened, true))
            state.set_up(environment);
        if (until == save_now) {
            state.save_is_due_ = false;
            return state.save();
        }
        state.gather(until);
        if (!std::exchange(state.save_is_due_, true))
            self->delayed_send(self, save_interval, index_atom::value, save_now);
    }};
}

} // namespace holdfast::actors
