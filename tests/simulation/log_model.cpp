#include "tests/simulation/log_model.hpp"

#include "protocol/names.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

using broker::command_kind;
namespace decision_outcome = broker::decision_outcome;

std::string at(log_position position) {
    return " at position " + std::to_string(position.value());
}

std::string text_of(queue_key queue) {
    return "topic " + std::to_string(queue.topic.value()) + " queue " + std::to_string(queue.queue.value());
}

std::uint8_t kept(std::uint32_t checks) {
    return static_cast<std::uint8_t>(std::min<std::uint32_t>(checks, 0xFF));
}

} // namespace

std::string log_model::read(const storage::entry_header& header, byte_view entry) {
    reading in{header, outcomes_[header.position]};
    broker::command_cursor cursor{entry, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure().message;
        if (auto problem = read(*command, in); !problem.empty())
            return problem;
    }
    return {};
}

std::string log_model::read(const broker::command_view& command, reading& in) {
    switch (command.header.kind) {
    case command_kind::message:
    case command_kind::half:
    case command_kind::lean_half:
    case command_kind::delayed:
    case command_kind::lean_delayed:
        return read_record(command, in);
    case command_kind::topic_create:
        return create_topic(command.payload);
    case command_kind::offsets_commit: {
        const auto commits = broker::decode_offset_commits(command.payload);
        if (!commits.ok())
            return commits.failure().message;
        for (const auto& one : *commits)
            if (auto problem = commit(one); !problem.empty())
                return problem;
        return {};
    }
    default:
        return read_delivery(command, in);
    }
}

std::string log_model::read_delivery(const broker::command_view& command, reading& in) {
    std::string problem;
    const auto each = [&](const auto& list, auto one) {
        if (!list.ok())
            problem = list.failure().message;
        for (std::size_t i = 0; list.ok() && i < list->size() && problem.empty(); ++i)
            problem = one((*list)[i]);
    };
    switch (command.header.kind) {
    case command_kind::decisions:
    case command_kind::packed_decisions:
        each(broker::decode_decisions(command.header.kind, command.payload),
             [&](const auto& one) { return decide(one, in); });
        return problem;
    case command_kind::half_checks:
        each(broker::decode_half_checks(command.payload), [&](const auto& one) { return check(one, in); });
        return problem;
    case command_kind::deliveries: {
        const auto due = broker::decode_deliveries(command.payload);
        return due.ok() ? deliver(*due, in) : due.failure().message;
    }
    case command_kind::delayed_cancel: {
        const auto cancelled = broker::decode_cancellations(command.payload);
        return cancelled.ok() ? cancel(*cancelled, in) : cancelled.failure().message;
    }
    default:
        return {};
    }
}

std::string log_model::create_topic(byte_view payload) {
    const auto topic = broker::decode_topic_config(payload);
    if (!topic.ok())
        return topic.failure().message;
    if (std::find(topics_.begin(), topics_.end(), topic->name) == topics_.end())
        topics_.push_back(topic->name);
    return {};
}

std::string log_model::commit(const broker::offset_commit& committed) {
    auto& known = offsets_.try_emplace(committed.queue, committed.next).first->second;
    if (committed.next < known)
        return "back: the group's offset in " + text_of(committed.queue) + " goes from " +
               std::to_string(known.value()) + " to " + std::to_string(committed.next.value());
    known = committed.next;
    committed_[committed.queue].insert(committed.next);
    return {};
}

bool log_model::has_committed(queue_key queue, queue_offset next) const {
    const auto found = committed_.find(queue);
    return found != committed_.end() && found->second.contains(next);
}

// --- records
// ------------------------------------------------------------------------------------------------

std::string log_model::read_record(const broker::command_view& command, reading& in) {
    const auto record = in.header.position + command.payload_offset;
    const auto size = load_big<std::uint32_t>(command.payload.data());
    const auto decoded = protocol::decode_stored_message(command.payload.first(size));
    if (!decoded.ok())
        return decoded.failure().message;
    if (!decoded->body_is_intact() || decoded->physical_offset != static_cast<std::int64_t>(record.value()))
        return "damaged: the record" + at(record) + " does not say so";
    const queue_key queue{command.header.topic, command.header.queue};
    queue_offset offset{static_cast<std::int64_t>(record.value())};
    if (broker::is_half(command.header.kind)) {
        halves_[record] = {0, queue};
    } else if (broker::is_delayed(command.header.kind)) {
        const auto delayed = broker::decode_delayed(command.payload);
        if (!delayed.ok())
            return delayed.failure().message;
        if (delayed->due <= in.header.timestamp)
            return "due: the message" + at(record) + " is due before it is there";
        delayed_[{delayed->due, record}] = queue;
    } else if (auto problem = show(queue, record, false, offset); !problem.empty()) {
        return problem;
    }
    in.outcomes.push_back(offset);
    const auto name = load_big<std::uint64_t>(decoded->body.data());
    return records_.emplace(name, promised_message{name, queue, offset, record}).second
               ? ""
               : "twice: message " + std::to_string(name) + at(record);
}

std::string log_model::show(queue_key queue, log_position record, bool by_reference, queue_offset& offset) {
    auto& all = queues_[queue];
    offset = queue_offset{static_cast<std::int64_t>(all.size())};
    all.push_back({record, by_reference});
    return shown_.emplace(record, queue).second ? ""
                                                : "twice: the record" + at(record) + " is in queues twice";
}

// --- transactions
// ----------------------------------------------------------------------------------------------

// The first decision that names the half rightly is the one that counts.
std::string log_model::decide(const broker::decision& decided, reading& in) {
    const auto found = halves_.find(decided.half);
    if (found == halves_.end() || decided.number != static_cast<std::int64_t>(decided.half.value()) ||
        decided.group_checksum != broker::group_checksum_of("")) {
        in.outcomes.push_back(found == halves_.end() ? decision_outcome::not_pending
                              : decided.number != static_cast<std::int64_t>(decided.half.value())
                                  ? decision_outcome::other_number
                                  : decision_outcome::other_group);
        return {};
    }
    const auto queue = found->second.queue;
    const auto checks = kept(found->second.checks);
    const auto when = in.header.timestamp;
    halves_.erase(found);
    if (decided.kind == broker::decision_kind::rollback) {
        settled_[decided.half] = {decided.half, storage::record_fate::rolled_back, queue_offset{-1}, when,
                                  checks};
        in.outcomes.push_back(decision_outcome::rolled_back);
        return {};
    }
    queue_offset offset;
    auto problem = show(queue, decided.half, true, offset);
    settled_[decided.half] = {decided.half, storage::record_fate::queued, offset, when, checks};
    in.outcomes.push_back(offset);
    return problem;
}

std::string log_model::check(const broker::half_check& check, const reading& in) {
    const auto found = halves_.find(check.half);
    if (found == halves_.end())
        return {};
    if (check.kind == broker::half_check_kind::sent) {
        ++found->second.checks;
        return {};
    }
    const auto topic = std::find(topics_.begin(), topics_.end(), protocol::check_exhausted_topic);
    if (topic == topics_.end())
        return {};
    const auto checks = kept(found->second.checks);
    halves_.erase(found);
    const topic_id id{static_cast<std::uint32_t>(topic - topics_.begin()) + 1};
    queue_offset offset;
    auto problem = show({id, queue_number{0}}, check.half, true, offset);
    settled_[check.half] = {check.half, storage::record_fate::given_up, offset, in.header.timestamp, checks};
    return problem;
}

// --- delays
// ----------------------------------------------------------------------------------------------------

std::string log_model::deliver(const broker::deliveries& due, reading& in) {
    if (due.version != delay_version_) {
        in.outcomes.push_back(queue_offset{-1});
        return {};
    }
    for (const auto& message : due.messages) {
        const auto found = delayed_.find(message.key);
        if (found == delayed_.end())
            return "delayed: a message is delivered that does not wait" + at(message.key.position);
        if (message.key.due > in.header.timestamp)
            return "early: a delayed message is delivered before it is due" + at(message.key.position);
        queue_offset offset;
        if (auto problem = show(found->second, message.key.position, true, offset); !problem.empty())
            return problem;
        settled_[message.key.position] = {message.key.position, storage::record_fate::queued, offset,
                                          in.header.timestamp};
        delayed_.erase(found);
    }
    ++delay_version_;
    in.outcomes.push_back(queue_offset{static_cast<std::int64_t>(due.messages.size())});
    return {};
}

std::string log_model::cancel(const broker::cancellations& cancelled, reading& in) {
    if (cancelled.version != delay_version_) {
        in.outcomes.push_back(queue_offset{-1});
        return {};
    }
    for (const auto& key : cancelled.keys) {
        if (delayed_.erase(key) == 0)
            return "delayed: a message is called back that does not wait" + at(key.position);
        settled_[key.position] = {key.position, storage::record_fate::cancelled, queue_offset{-1},
                                  in.header.timestamp};
    }
    ++delay_version_;
    in.outcomes.push_back(queue_offset{static_cast<std::int64_t>(cancelled.keys.size())});
    return {};
}

// --- comparing
// ------------------------------------------------------------------------------------------------

std::vector<queue_offset> log_model::outcomes(log_position entry) const {
    const auto found = outcomes_.find(entry);
    return found == outcomes_.end() ? std::vector<queue_offset>{} : found->second;
}

const promised_message* log_model::find(std::uint64_t name) const {
    const auto found = records_.find(name);
    return found == records_.end() ? nullptr : &found->second;
}

std::string log_model::compare(const broker::queue_run& run) const {
    const auto known = queues_.find(run.queue);
    auto offset = static_cast<std::size_t>(run.first.value());
    for (const auto& entry : run.entries) {
        if (known == queues_.end() || offset >= known->second.size() ||
            known->second[offset].record != entry.position ||
            known->second[offset].by_reference != (entry.by_reference != 0))
            return "shown: offset " + std::to_string(offset) + " of " + text_of(run.queue) +
                   " is not the record" + at(entry.position);
        ++offset;
    }
    return {};
}

std::string log_model::compare_topics(const broker::state& state) const {
    for (std::size_t i = 0; i < topics_.size(); ++i) {
        const auto topic = state.find_topic(topics_[i]);
        if (!topic || topic->id != topic_id{static_cast<std::uint32_t>(i + 1)})
            return "does not know the topic " + topics_[i];
    }
    if (state.topics().size() != topics_.size())
        return "has topics that are not in the log";
    for (const auto& [queue, messages] : queues_)
        if (state.next_offset(queue) != queue_offset{static_cast<std::int64_t>(messages.size())})
            return "says that " + text_of(queue) + " has " +
                   std::to_string(state.next_offset(queue).value()) + " messages, the log has " +
                   std::to_string(messages.size());
    return {};
}

std::string log_model::compare_waiting(const broker::state& state) const {
    if (state.halves().size() != halves_.size())
        return "has " + std::to_string(state.halves().size()) + " undecided halves, the log has " +
               std::to_string(halves_.size());
    for (const auto& [position, waiting] : halves_) {
        const auto* const known = state.halves().find(position);
        if (known == nullptr || known->queue != waiting.queue || known->checks != waiting.checks)
            return "holds another half" + at(position);
    }
    if (state.delay().version != delay_version_)
        return "has another version of the delayed messages";
    return {};
}

std::string log_model::compare(const broker::state& state) const {
    if (auto problem = compare_topics(state); !problem.empty())
        return problem;
    const auto group = state.offsets().find(durability_checker::group);
    const auto known = group == state.offsets().end() ? 0 : group->second.size();
    if (known != offsets_.size())
        return "knows " + std::to_string(known) + " offsets of " + std::to_string(offsets_.size());
    for (const auto& [queue, next] : offsets_)
        if (const auto offset = group->second.find(queue);
            offset == group->second.end() || offset->second != next)
            return "has another offset for " + text_of(queue);
    return compare_waiting(state);
}

std::string log_model::compare(const derived_view& view, log_position log_first) const {
    for (const auto& [queue, messages] : queues_) {
        const auto found = view.queues().find(queue);
        const auto length = static_cast<std::int64_t>(messages.size());
        if (found == view.queues().end() || found->second.next() != queue_offset{length})
            return "does not show all of " + text_of(queue);
        const auto first = std::max(found->second.first, found->second.begin);
        if (first > found->second.first)
            return "lacks the beginning of " + text_of(queue);
        for (auto offset = first; offset < queue_offset{length}; offset = offset + 1)
            if (messages[static_cast<std::size_t>(offset.value())].record !=
                found->second.at(offset).position)
                return "shows another record in " + text_of(queue);
    }
    if (view.delayed().size() != delayed_.size() ||
        !std::equal(delayed_.begin(), delayed_.end(), view.delayed().begin(),
                    [](const auto& one, const auto& other) { return one.first == other.first; }))
        return "has other delayed messages";
    const auto ours = settled_.lower_bound(log_first);
    const auto theirs = view.settled().lower_bound(log_first);
    const auto is_same = [&](const auto& one, const auto& other) {
        const auto& [record, fate] = one;
        if (record != other.first || fate.fate != other.second.fate || fate.when != other.second.when ||
            fate.checks != other.second.checks)
            return false;
        // Below a queue's beginning offsets mean nothing any more (broker/snapshot.hpp).
        const auto place = shown_.find(record);
        const auto known = place == shown_.end() ? view.queues().end() : view.queues().find(place->second);
        return fate.offset == other.second.offset ||
               (known != view.queues().end() && fate.offset < known->second.first);
    };
    if (!std::equal(ours, settled_.end(), theirs, view.settled().end(), is_same))
        return "knows other fates of records";
    return {};
}

} // namespace holdfast::simulation
