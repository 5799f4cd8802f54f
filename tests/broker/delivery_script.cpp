#include "tests/broker/delivery_script.hpp"

#include "broker/delivery_records.hpp"
#include "protocol/stored_message.hpp"

#include <sstream>

namespace holdfast::broker::testing {
namespace {

constexpr std::size_t record_bytes = 100;

// `...@TOPIC/QUEUE`, which is taken off the words.
queue_key take_queue(std::string& words) {
    const auto at = words.find('@');
    if (at == std::string::npos)
        return {topic_id{1}, queue_number{0}};
    const auto slash = words.find('/', at);
    const queue_key queue{topic_id{static_cast<std::uint32_t>(std::stoul(words.substr(at + 1)))},
                          queue_number{static_cast<std::uint32_t>(std::stoul(words.substr(slash + 1)))}};
    words.resize(at);
    return queue;
}

// A record of always the same size, with this text in its body. Returns the place of its trailer.
std::span<std::byte> record(entry_draft& draft, command_kind kind, queue_key queue, std::size_t trailer,
                            std::string text = {}) {
    protocol::stored_message message;
    message.queue = queue.queue;
    message.topic = "T";
    text.resize(record_bytes - message.size(), '.');
    message.body = as_bytes(text);
    const auto to = draft.add_record(kind, queue, 0, record_bytes + trailer);
    protocol::write_stored_message(to.data(), message);
    return to.subspan(record_bytes);
}

void half(entry_draft& draft, const std::string& what) {
    auto words = what;
    const auto queue = take_queue(words);
    const auto trailer = record(draft, command_kind::half, queue, half_trailer_bytes, words);
    const auto* const first = trailer.data() - record_bytes;
    const auto written = protocol::decode_stored_message({first, record_bytes});
    const auto group_at = static_cast<std::uint32_t>(written->body.data() - first);
    encode(half_trailer{-1, group_at, static_cast<std::uint16_t>(words.size())}, trailer.data());
}

void delay(entry_draft& draft, std::string words) {
    const auto queue = take_queue(words);
    const auto trailer = record(draft, command_kind::delayed, queue, delayed_trailer_bytes);
    store_little(trailer.data(), -std::stoll(words));
}

void lock(entry_draft& draft, const std::string& words) {
    const auto owner = words.find('/') + 1;
    const auto epoch = words.find('/', owner) + 1;
    const queue_key queue{topic_id{1}, queue_number{static_cast<std::uint32_t>(std::stoul(words))}};
    draft.add(
        command_kind::queue_locks,
        encode(lock_changes{
            "G", {{queue, {words.substr(owner, epoch - 1 - owner), std::stoull(words.substr(epoch))}}}}));
}

std::string_view name_of(storage::record_fate fate) {
    switch (fate) {
    case storage::record_fate::queued:
        return "queued";
    case storage::record_fate::rolled_back:
        return "rolled back";
    case storage::record_fate::given_up:
        return "given up";
    case storage::record_fate::cancelled:
        return "cancelled";
    case storage::record_fate::topic_gone:
        return "in no queue, its topic is gone";
    }
    return "?";
}

} // namespace

void delivery_script::decide(entry_draft& draft, decision_kind kind, std::string words) const {
    const bool by_another = words.ends_with('!');
    if (by_another)
        words.pop_back();
    decision made;
    made.half = log_position{std::stoull(words)};
    made.number = static_cast<std::int64_t>(made.half.value());
    made.kind = kind;
    const auto known = halves_.find(made.half);
    made.group_checksum =
        group_checksum_of(by_another || known == halves_.end() ? "another" : *known->second.group);
    draft.add(command_kind::packed_decisions, encode(std::vector{made}));
}

bool delivery_script::fill(entry_draft& draft, const std::string& what) const {
    const auto colon = what.find(':');
    const auto name = what.substr(0, colon);
    const auto words = colon == std::string::npos ? std::string{} : what.substr(colon + 1);
    if (name == "half") {
        half(draft, words);
    } else if (name == "commit" || name == "rollback") {
        decide(draft, name == "commit" ? decision_kind::commit : decision_kind::rollback, words);
    } else if (name == "asked" || name == "give-up") {
        const auto kind = name == "asked" ? half_check_kind::sent : half_check_kind::given_up;
        draft.add(command_kind::half_checks,
                  encode(std::vector<half_check>{{log_position{std::stoull(words)}, kind}}));
    } else if (name == "delayed") {
        delay(draft, words);
    } else if (name == "deliver") {
        deliveries due{delay_.version, {}};
        std::istringstream positions{words};
        for (std::string position; std::getline(positions, position, ',');)
            due.messages.push_back(delayed_.at(log_position{std::stoull(position)}));
        draft.add(command_kind::deliveries, encode(due));
    } else if (name == "cancel") {
        const auto& key = delayed_.at(log_position{std::stoull(words)}).key;
        draft.add(command_kind::delayed_cancel, encode(cancellations{delay_.version, {key}}));
    } else if (name == "lock") {
        lock(draft, words);
    } else {
        return false;
    }
    return true;
}

void delivery_script::print(const state_changes& changes, std::ostream& out) {
    for (const auto& half : changes.halves) {
        halves_[half.position] = half;
        out << "half " << half.position << " of " << *half.group << ", checks " << half.checks << '\n';
    }
    for (const auto& message : changes.delayed) {
        delayed_[message.key.position] = message;
        out << "delayed " << message.key.position << ", due " << message.key.due << '\n';
    }
    for (const auto& record : changes.settled) {
        out << "record " << record.position << " is " << name_of(record.fate);
        if (record.offset >= queue_offset{0})
            out << " at " << record.offset;
        out << '\n';
    }
    if (changes.delay) {
        delay_ = *changes.delay;
        out << "delay table version " << delay_.version << '\n';
    }
    for (const auto& change : changes.facts)
        if (const auto* const put = std::get_if<lock_put>(&change))
            out << "lock of queue " << put->change.queue.queue << ": "
                << (put->change.lock.owner.empty() ? "nobody" : put->change.lock.owner) << ", epoch "
                << put->change.lock.epoch << '\n';
}

} // namespace holdfast::broker::testing
