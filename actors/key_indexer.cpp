#include "actors/key_indexer.hpp"

#include "broker/command.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"
#include "storage/log_scanner.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

// Entries of one bulk: enough to make sorting worth it, little enough to hold.
constexpr std::size_t bulk_size = 128U << 10U;

void add_keys(const protocol::stored_message_view& message, log_position position,
              std::vector<storage::key_entry>& bulk) {
    const auto add = [&](std::string_view key) {
        if (!key.empty())
            bulk.push_back({storage::hash_key(message.topic, key), position, message.stored});
    };
    for (const auto& [name, value] : protocol::properties_view{message.properties}) {
        if (name == protocol::property::unique_key)
            add(value);
        if (name != protocol::property::keys)
            continue;
        for (auto words = value; !words.empty();) {
            const auto end = words.find(' ');
            add(words.substr(0, end));
            words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
        }
    }
}

result<void> add_entry(const storage::scanned_entry& entry, std::vector<storage::key_entry>& bulk) {
    broker::command_cursor cursor{entry.bytes, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure();
        if (command->header.kind != broker::command_kind::message)
            continue;
        const auto message = protocol::decode_stored_message(command->payload);
        if (!message.ok())
            return message.failure();
        add_keys(*message, entry.header.position + command->payload_offset, bulk);
    }
    return {};
}

} // namespace

key_indexer_state::~key_indexer_state() {
    if (environment_.published != nullptr)
        environment_.published->store(nullptr, std::memory_order_release);
}

void key_indexer_state::set_up(key_indexer_environment environment) {
    environment_ = std::move(environment);
    auto opened = storage::key_index::open(environment_.directory, environment_.log_id);
    if (!opened.ok() && opened.failure().code != errc::unavailable) {
        // It is derived from the log, so a damaged one is thrown away and built again.
        spdlog::warn("the key index is built anew: {}", opened.failure().message);
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

void key_indexer_state::index(log_position until) {
    if (!index_ || until <= index_->indexed_until())
        return;
    const auto first = std::max(index_->indexed_until(), environment_.view->marks().first);
    bulk_.clear();
    const auto flush = [&](log_position indexed) {
        auto added = index_->add(bulk_, indexed);
        bulk_.clear();
        return added;
    };
    auto outcome = storage::for_each_entry(environment_.log->segments(), first, until,
                                           [&](const storage::scanned_entry& entry) -> result<void> {
                                               if (bulk_.size() >= bulk_size)
                                                   if (auto added = flush(entry.header.position); !added.ok())
                                                       return added;
                                               return add_entry(entry, bulk_);
                                           });
    if (outcome.ok())
        outcome = flush(until);
    if (!outcome.ok())
        spdlog::warn("the key index stays behind at {}: {}", index_->indexed_until().value(),
                     outcome.failure().message);
}

key_indexer_actor::behavior_type key_indexer(key_indexer_actor::stateful_pointer<key_indexer_state> self,
                                             key_indexer_environment environment) {
    self->state.environment_.published = environment.published;
    // Opening takes a while: on the own thread, not in the caller's spawn.
    self->send(self, index_atom::value, log_position{0});
    auto opened = std::make_shared<bool>(false);
    return {[self, environment, opened](index_atom, log_position until) {
        if (!std::exchange(*opened, true))
            self->state.set_up(environment);
        self->state.index(until);
    }};
}

} // namespace holdfast::actors
