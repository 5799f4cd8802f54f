// The part of state that is about messages which are in no queue yet: halves and delayed ones.
#include "broker/command.hpp"
#include "broker/served_record.hpp"
#include "broker/state.hpp"
#include "protocol/names.hpp"
#include "protocol/stored_message.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::broker {
namespace {

timestamp_ms time_of(byte_view entry) {
    const auto header = storage::decode_entry_header(entry);
    HOLDFAST_CHECK(header.ok()); // apply gets verified entries
    return header->timestamp;
}

std::uint8_t kept_checks(const half_message& half) {
    return static_cast<std::uint8_t>(std::min<std::uint16_t>(half.checks, 0xFF));
}

} // namespace

result<void> state::apply_delivery(const command_view& command, application& what) {
    switch (command.header.kind) {
    case command_kind::half:
    case command_kind::lean_half:
        return add_half(command, what);
    case command_kind::decisions:
    case command_kind::packed_decisions:
        return decide(command, what);
    case command_kind::half_checks:
        return check_halves(command.payload, what);
    case command_kind::delayed:
    case command_kind::lean_delayed:
        return park(command, what);
    case command_kind::deliveries:
        return deliver(command.payload, what);
    default:
        return cancel(command.payload, what);
    }
}

// A place in `queue` for a record that has been in the log for a while.
queue_offset state::refer(queue_key queue, log_position record, std::uint32_t size, std::int32_t tags,
                          application& what) {
    const auto offset = append(queue, {record, size, tags, true});
    if (offset >= queue_offset{0})
        what.changes.blocks.push_back(ledger_.referenced(record, what.position, time_of(what.entry)));
    return offset;
}

// --- transactions
// ----------------------------------------------------------------------------------------------

result<void> state::add_half(const command_view& command, application& what) {
    const auto payload = decode_half(command.payload);
    if (!payload.ok())
        return payload.failure();
    const auto record = protocol::decode_stored_message(command.payload);
    if (!record.ok())
        return record.failure();
    half_message half;
    half.position = what.position + command.payload_offset;
    half.queue = {command.header.topic, command.header.queue};
    half.size = served_size(command.header.kind, *record);
    half.topic_bytes = static_cast<std::uint8_t>(record->topic.size());
    half.tags = command.header.tags;
    half.stored = time_of(what.entry);
    half.immunity_ms = payload->immunity_ms;
    what.offsets.push_back(queue_offset{half.number()});
    what.changes.halves.push_back(halves_.add(std::move(half), payload->group));
    return {};
}

result<void> state::decide(const command_view& command, application& what) {
    const auto decisions = decode_decisions(command.header.kind, command.payload);
    if (!decisions.ok())
        return decisions.failure();
    for (const auto& decided : *decisions)
        what.offsets.push_back(decide(decided, what));
    return {};
}

queue_offset state::decide(const decision& decided, application& what) {
    const auto verdict = halves_.judge(decided);
    if (verdict.half == nullptr)
        return verdict.refusal;
    const auto& half = *verdict.half;
    storage::settled_record settled{half.position, storage::record_fate::rolled_back, queue_offset{-1},
                                    time_of(what.entry), kept_checks(half)};
    auto outcome = decision_outcome::rolled_back;
    if (decided.kind == decision_kind::commit) {
        outcome = refer(half.queue, half.position, half.size, half.tags, what);
        settled.offset = outcome;
        settled.fate =
            outcome >= queue_offset{0} ? storage::record_fate::queued : storage::record_fate::topic_gone;
    }
    what.changes.settled.push_back(settled);
    what.changes.halves_settled.push_back(half.position);
    halves_.remove(half.position);
    return outcome;
}

result<void> state::check_halves(byte_view payload, application& what) {
    const auto checks = decode_half_checks(payload);
    if (!checks.ok())
        return checks.failure();
    for (const auto& check : *checks) {
        const auto* const half = halves_.find(check.half);
        if (half == nullptr) // decided meanwhile
            continue;
        if (check.kind == half_check_kind::given_up) {
            give_up(*half, what);
        } else {
            halves_.checked(check.half, time_of(what.entry));
            what.changes.halves.push_back(*halves_.find(check.half));
        }
    }
    return {};
}

// Without the topic that a person would look in, it stays pending.
void state::give_up(const half_message& half, application& what) {
    const auto topic = find_topic(protocol::check_exhausted_topic);
    if (!topic)
        return;
    const auto checks = kept_checks(half);
    const auto offset = refer({topic->id, queue_number{0}}, half.position,
                              given_up_size(half.size, half.topic_bytes, checks), half.tags, what);
    what.changes.settled.push_back(
        {half.position, storage::record_fate::given_up, offset, time_of(what.entry), checks});
    what.changes.halves_settled.push_back(half.position);
    halves_.remove(half.position);
}

// --- delays
// ----------------------------------------------------------------------------------------------------

result<void> state::park(const command_view& command, application& what) {
    const auto payload = decode_delayed(command.payload);
    if (!payload.ok())
        return payload.failure();
    const auto message = protocol::decode_stored_message(command.payload);
    if (!message.ok())
        return message.failure();
    const auto record = what.position + command.payload_offset;
    what.offsets.push_back(queue_offset{static_cast<std::int64_t>(record.value())});
    what.changes.delayed.push_back({{payload->due, record},
                                    {command.header.topic, command.header.queue},
                                    served_size(command.header.kind, *message),
                                    command.header.tags});
    what.changes.blocks.push_back(ledger_.parked(record));
    return {};
}

result<void> state::deliver(byte_view payload, application& what) {
    const auto due = decode_deliveries(payload);
    if (!due.ok())
        return due.failure();
    // Behind a snapshot the version is not known yet, and taken on trust: a leader has one delivery or
    // cancellation under way at a time, so its log holds none that was refused here.
    if (what.facts && due->version != delay_.version) {
        what.offsets.push_back(queue_offset{-1});
        return {};
    }
    const auto when = time_of(what.entry);
    std::int64_t delivered = 0;
    for (const auto& message : due->messages) {
        const auto record = message.key.position;
        delay_.cursor = std::max(delay_.cursor, message.key);
        if (record < first_position_) // rebuilt from a snapshot: the record is gone, and so is its place
            continue;
        const auto offset = refer(message.queue, record, message.size, message.tags, what);
        what.changes.settled.push_back(
            {record,
             offset >= queue_offset{0} ? storage::record_fate::queued : storage::record_fate::topic_gone,
             offset, when});
        what.changes.blocks.push_back(ledger_.unparked(record));
        ++delivered;
    }
    delay_.version = due->version + 1;
    what.changes.delay = delay_;
    what.offsets.push_back(queue_offset{delivered});
    return {};
}

result<void> state::cancel(byte_view payload, application& what) {
    auto cancelled = decode_cancellations(payload);
    if (!cancelled.ok())
        return cancelled.failure();
    if (what.facts && cancelled->version != delay_.version) {
        what.offsets.push_back(queue_offset{-1});
        return {};
    }
    std::erase_if(cancelled->keys, [&](const auto& key) { return key.position < first_position_; });
    for (const auto& key : cancelled->keys) {
        what.changes.settled.push_back(
            {key.position, storage::record_fate::cancelled, queue_offset{-1}, time_of(what.entry)});
        what.changes.blocks.push_back(ledger_.unparked(key.position));
    }
    delay_.version = cancelled->version + 1;
    what.offsets.push_back(queue_offset{static_cast<std::int64_t>(cancelled->keys.size())});
    what.changes.cancelled.push_back({what.position, std::move(cancelled->keys)});
    what.changes.delay = delay_;
    return {};
}

reference_ledger::limit state::retention_limit(log_position wanted, timestamp_ms oldest_kept) const {
    const auto undecided = halves_.oldest();
    return ledger_.lower(undecided ? std::min(wanted, *undecided) : wanted, oldest_kept);
}

} // namespace holdfast::broker
