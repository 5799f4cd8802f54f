// A random log of transactions and delayed messages, whose topics die and are made again under them, and a
// naive model of what it means. The same seed gives the same log.
#pragma once

#include "broker/delivery_records.hpp"
#include "broker/entry_draft.hpp"
#include "broker/served_record.hpp"
#include "broker/transaction_table.hpp"
#include "protocol/names.hpp"
#include "protocol/stored_message.hpp"
#include "storage/delivery_index.hpp"
#include "storage/entry.hpp"
#include "tests/broker/random_log.hpp"
#include "tests/broker/unpacked_decisions.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace holdfast::broker::testing {

struct modelled_half {
    std::int64_t number = 0;
    queue_key queue;
    std::string group;
    std::uint32_t checks = 0;
};

struct modelled_record {
    std::string topic;
    queue_number queue;
    bool lean = false;
};

struct delivery_model {
    std::map<std::string, topic_id, std::less<>> topics;   // those there are
    std::map<queue_key, std::vector<log_position>> queues; // every record that is in one of them, in order
    std::map<log_position, modelled_half> halves;
    std::map<delay_key, queue_key> delayed;
    std::map<log_position, storage::settled_record> settled;
    std::map<log_position, modelled_record> records; // halves and delayed ones
    delay_progress delay;
};

inline constexpr std::string_view group_property{"PGROUP\1ggg\2", 11};

class delivery_log {
  public:
    // `careless`: with what the log of a real leader never holds: deliveries from an old look at the table
    // (it has one under way at a time), and halves that are given up without the topic for them (it makes it
    // first).
    explicit delivery_log(std::uint64_t seed, bool careless = true) : random_(seed), careless_(careless) {}

    // The first entry makes the topics 1 and 2 and the one for halves that nobody decides.
    logged_entry next() {
        entry_draft draft;
        logged_entry made;
        made.position = end_;
        now_ += random_.below(3);
        if (end_ == log_position{0}) {
            for (const auto name : {first_topic, second_topic, protocol::check_exhausted_topic})
                put_topic(draft, name);
        } else {
            for (auto commands = 1 + random_.below(5); commands > 0; --commands)
                add(draft, made);
        }
        if (draft.empty())
            draft.add(command_kind::idle_mark, byte_view{});
        storage::entry_header header;
        header.position = end_;
        header.timestamp = timestamp_ms{now_};
        header.count = draft.count();
        storage::seal_entry(header, draft.bytes());
        made.bytes = draft.release();
        end_ = made.end();
        return made;
    }

    [[nodiscard]] const delivery_model& model() const { return model_; }
    [[nodiscard]] log_position end() const { return end_; }
    random_source& random() { return random_; }

  private:
    static constexpr std::string_view first_topic = "T";
    static constexpr std::string_view second_topic = "U";

    // Now and then of a topic that is gone: a message that comes late.
    queue_key any_queue() {
        const auto topic = model_.topics.find(random_.one_in(2) ? first_topic : second_topic);
        const auto id = topic == model_.topics.end() || random_.one_in(20)
                            ? topic_id{1 + random_.below(next_topic_ - 1)}
                            : topic->second;
        return {id, queue_number{random_.below(3)}};
    }
    std::int32_t any_tag() { return static_cast<std::int32_t>(random_.below(5)); }

    void add(entry_draft& draft, logged_entry& entry) {
        switch (random_.below(13)) {
        case 12:
            if (random_.one_in(4))
                return change_topic(draft);
            return message(draft, entry);
        case 0:
        case 1:
        case 2:
            return half(draft, entry);
        case 3:
        case 4:
        case 5:
            return decide(draft, entry);
        case 6:
            return check(draft);
        case 7:
        case 8:
            return park(draft, entry);
        case 9:
            return deliver(draft, entry);
        case 10:
            if (random_.one_in(3))
                return cancel(draft, entry);
            [[fallthrough]];
        default:
            return message(draft, entry);
        }
    }

    std::pair<log_position, std::span<std::byte>> record(entry_draft& draft, command_kind kind,
                                                         queue_key queue, const logged_entry& entry) {
        const std::string body(random_.below(40), 'b');
        const auto& topic = names_.at(queue.topic);
        protocol::stored_message message;
        message.queue = queue.queue;
        message.stored = timestamp_ms{now_};
        message.body = as_bytes(body);
        message.topic = topic;
        message.properties = group_property;
        const auto place = draft.next_payload();
        message.position = entry.position + place;
        const auto to = draft.add_record(kind, queue, any_tag(), message.size() + trailer_bytes(kind));
        protocol::write_stored_message(to.data(), message);
        if (kind != command_kind::message)
            model_.records[message.position] = {topic, queue.queue, is_lean(kind)};
        group_at_ = static_cast<std::uint32_t>(message.size() - group_property.size() + 7);
        return {message.position, to.subspan(message.size())};
    }

    void put_topic(entry_draft& draft, std::string_view name) {
        topic_config topic;
        topic.name = name;
        draft.add(command_kind::topic_put, encode(topic));
        names_.emplace(topic_id{next_topic_}, name);
        model_.topics.emplace(name, topic_id{next_topic_++});
    }

    void change_topic(entry_draft& draft) {
        auto name = random_.one_in(2) ? first_topic : second_topic;
        if (careless_ && random_.one_in(3))
            name = protocol::check_exhausted_topic;
        const auto found = model_.topics.find(name);
        if (found == model_.topics.end())
            return put_topic(draft, name);
        draft.add(command_kind::topic_delete, name);
        std::erase_if(model_.queues, [&](const auto& queue) { return queue.first.topic == found->second; });
        model_.topics.erase(found);
    }

    // -1 when its topic is gone.
    queue_offset give(queue_key queue, log_position position) {
        const auto is_it = [&](const auto& topic) { return topic.second == queue.topic; };
        if (std::none_of(model_.topics.begin(), model_.topics.end(), is_it))
            return queue_offset{-1};
        auto& queued = model_.queues[queue];
        queued.push_back(position);
        return queue_offset{static_cast<std::int64_t>(queued.size() - 1)};
    }

    void settle(log_position position, storage::record_fate fate, queue_offset offset,
                std::uint32_t checks = 0) {
        model_.settled[position] = {position, fate, offset, timestamp_ms{now_},
                                    static_cast<std::uint8_t>(checks)};
    }
    // Into its queue, or into none when the topic is gone.
    queue_offset deliver_to(queue_key queue, log_position position, std::uint32_t checks = 0) {
        const auto offset = give(queue, position);
        settle(position,
               offset < queue_offset{0} ? storage::record_fate::topic_gone : storage::record_fate::queued,
               offset, checks);
        return offset;
    }

    void message(entry_draft& draft, logged_entry& entry) {
        const auto queue = any_queue();
        const auto [position, trailer] = record(draft, command_kind::message, queue, entry);
        entry.offsets.push_back(give(queue, position));
    }

    void half(entry_draft& draft, logged_entry& entry) {
        const auto queue = any_queue();
        const auto group_size = static_cast<std::uint16_t>(1 + random_.below(3));
        const auto kind = random_.one_in(3) ? command_kind::half : command_kind::lean_half;
        const auto [position, trailer] = record(draft, kind, queue, entry);
        encode(half_trailer{-1, group_at_, group_size}, trailer.data());
        model_.halves[position] = {static_cast<std::int64_t>(position.value()), queue,
                                   std::string(group_size, 'g'), 0};
        entry.offsets.emplace_back(static_cast<std::int64_t>(position.value()));
    }

    // Mostly of a half that waits; also late, made up, or with another's number or group.
    void decide(entry_draft& draft, logged_entry& entry) {
        std::vector<decision> decisions;
        for (auto count = 1 + random_.below(3); count > 0; --count) {
            decision made;
            made.kind = random_.one_in(3) ? decision_kind::rollback : decision_kind::commit;
            made.half = log_position{random_.below(static_cast<std::uint32_t>(end_.value()) + 1) & ~7U};
            made.number = static_cast<std::int64_t>(made.half.value());
            const auto known = pick(model_.halves);
            if (known != model_.halves.end() && !random_.one_in(6)) {
                made.half = known->first;
                made.number = known->second.number + (random_.one_in(10) ? 1 : 0);
                made.group_checksum =
                    group_checksum_of(known->second.group + (random_.one_in(10) ? "x" : ""));
            }
            entry.offsets.push_back(outcome_of(made));
            decisions.push_back(made);
        }
        // Only older builds could write those that can't be any half's.
        if (std::all_of(decisions.begin(), decisions.end(), may_name_a_half) && !random_.one_in(3))
            draft.add(command_kind::packed_decisions, encode(decisions));
        else
            draft.add(command_kind::decisions, encode_unpacked(decisions));
    }

    queue_offset outcome_of(const decision& made) {
        const auto half = model_.halves.find(made.half);
        if (half == model_.halves.end())
            return decision_outcome::not_pending;
        if (half->second.number != made.number)
            return decision_outcome::other_number;
        if (group_checksum_of(half->second.group) != made.group_checksum)
            return decision_outcome::other_group;
        auto outcome = decision_outcome::rolled_back;
        if (made.kind == decision_kind::commit) {
            outcome = deliver_to(half->second.queue, made.half, half->second.checks);
        } else {
            settle(made.half, storage::record_fate::rolled_back, queue_offset{-1}, half->second.checks);
        }
        model_.halves.erase(half);
        return outcome;
    }

    void check(entry_draft& draft) {
        const auto half = pick(model_.halves);
        if (half == model_.halves.end())
            return;
        const auto position = half->first;
        const bool gives_up = half->second.checks >= 2;
        const std::vector<half_check> checks{
            {position, gives_up ? half_check_kind::given_up : half_check_kind::sent},
            {log_position{1}, half_check_kind::sent}};
        draft.add(command_kind::half_checks, encode(checks));
        const auto exhausted = model_.topics.find(protocol::check_exhausted_topic);
        if (!gives_up) {
            ++half->second.checks;
        } else if (exhausted != model_.topics.end()) { // else it stays pending
            const auto checked = half->second.checks;
            model_.halves.erase(half);
            settle(position, storage::record_fate::given_up,
                   give({exhausted->second, queue_number{0}}, position), checked);
        }
    }

    void park(entry_draft& draft, logged_entry& entry) {
        const auto queue = any_queue();
        const auto due = timestamp_ms{now_ + 1 + random_.below(random_.one_in(4) ? 5'000 : 20)};
        const auto kind = random_.one_in(3) ? command_kind::delayed : command_kind::lean_delayed;
        const auto [position, trailer] = record(draft, kind, queue, entry);
        store_little(trailer.data(), due.value());
        model_.delayed[{due, position}] = queue;
        const auto message =
            protocol::decode_stored_message(draft.bytes().subspan(position - entry.position));
        delayed_sizes_[position] = served_size(kind, *message);
        entry.offsets.emplace_back(static_cast<std::int64_t>(position.value()));
    }

    void deliver(entry_draft& draft, logged_entry& entry) {
        deliveries due;
        due.version = model_.delay.version;
        for (const auto& [key, queue] : model_.delayed)
            if (key.due.value() <= now_ && due.messages.size() < 4)
                due.messages.push_back({key, queue, delayed_sizes_[key.position], 0});
        const bool outdated = careless_ && random_.one_in(5);
        due.version -= outdated ? 1 : 0;
        draft.add(command_kind::deliveries, encode(due));
        if (outdated)
            return entry.offsets.emplace_back(-1), void();
        entry.offsets.emplace_back(static_cast<std::int64_t>(due.messages.size()));
        ++model_.delay.version;
        for (const auto& message : due.messages) {
            deliver_to(message.queue, message.key.position);
            model_.delay.cursor = message.key;
            model_.delayed.erase(message.key);
        }
    }

    void cancel(entry_draft& draft, logged_entry& entry) {
        const auto chosen = pick(model_.delayed);
        if (chosen == model_.delayed.end())
            return;
        draft.add(command_kind::delayed_cancel, encode(cancellations{model_.delay.version, {chosen->first}}));
        entry.offsets.emplace_back(1);
        ++model_.delay.version;
        settle(chosen->first.position, storage::record_fate::cancelled, queue_offset{-1});
        model_.delayed.erase(chosen);
    }

    template <class Map>
    typename Map::iterator pick(Map& from) {
        return from.empty() ? from.end()
                            : std::next(from.begin(), random_.below(static_cast<std::uint32_t>(from.size())));
    }

    random_source random_;
    bool careless_;
    std::uint32_t next_topic_ = 1;
    std::map<topic_id, std::string> names_; // of all topics that ever were
    delivery_model model_;
    std::map<log_position, std::uint32_t> delayed_sizes_; // as a leader has them in its table
    std::uint32_t group_at_ = 0;                          // within the record written last
    log_position end_;
    std::int64_t now_ = 1'000;
};

} // namespace holdfast::broker::testing
