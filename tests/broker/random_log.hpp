// A random log of commands and a naive model of what it means, for the tests of state, snapshots and
// checkpoints. The same seed gives the same log.
#pragma once

#include "broker/entry_draft.hpp"
#include "broker/records.hpp"
#include "broker/state.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::broker::testing {

class random_source {
  public:
    explicit random_source(std::uint64_t seed) : engine_(seed) {}
    std::uint32_t below(std::uint32_t end) {
        return std::uniform_int_distribution<std::uint32_t>{0, end - 1}(engine_);
    }
    bool one_in(std::uint32_t count) { return below(count) == 0; }

  private:
    std::mt19937_64 engine_;
};

struct logged_entry {
    shared_bytes bytes;
    log_position position;
    std::vector<queue_offset> offsets; // what its messages must be given

    [[nodiscard]] log_position end() const {
        return log_position{align_up(position.value() + bytes.size(), storage::entry_alignment)};
    }
};

// What the log means, worked out in the plainest way.
struct log_model {
    std::map<std::string, topic_config> topics;
    std::map<std::string, group_config> groups;
    std::map<std::pair<std::string, queue_key>, queue_offset> offsets;
    std::map<std::pair<std::string, queue_key>, queue_lock> locks;
    std::map<queue_key, std::vector<log_position>> messages; // of the topics that exist
    topic_id next_topic{1};

    [[nodiscard]] bool exists(topic_id id) const {
        return std::any_of(topics.begin(), topics.end(),
                           [&](const auto& topic) { return topic.second.id == id; });
    }
};

// Everything a state says, in one order whatever its containers are.
inline std::string describe(const state& described) {
    std::ostringstream out;
    for (const auto& [name, topic] : described.topics())
        out << "topic " << name << ' ' << topic->id << ' ' << topic->read_queues << ' ' << topic->permissions
            << '\n';
    for (const auto& [name, group] : described.groups())
        out << "group " << name << ' ' << group->retry_max_times << '\n';
    std::map<std::pair<std::string, queue_key>, queue_offset> offsets;
    for (const auto& [group, queues] : described.offsets())
        for (const auto& [queue, next] : queues)
            offsets[{group, queue}] = next;
    for (const auto& [where, next] : offsets)
        out << "offset " << where.first << ' ' << where.second.topic << '/' << where.second.queue << " = "
            << next << '\n';
    for (const auto& [group, queues] : described.locks().groups())
        for (const auto& [queue, lock] : queues)
            out << "lock " << group << ' ' << queue.topic << '/' << queue.queue << " = " << lock.owner << ' '
                << lock.epoch << '\n';
    auto lengths = described.queue_lengths();
    std::sort(lengths.begin(), lengths.end());
    for (const auto& [queue, next] : lengths)
        if (next > queue_offset{0})
            out << "queue " << queue.topic << '/' << queue.queue << " = " << next << '\n';
    out << "next topic " << described.next_topic_id() << '\n';
    return out.str();
}

inline std::string describe(const log_model& described) {
    std::ostringstream out;
    for (const auto& [name, topic] : described.topics)
        out << "topic " << name << ' ' << topic.id << ' ' << topic.read_queues << ' ' << topic.permissions
            << '\n';
    for (const auto& [name, group] : described.groups)
        out << "group " << name << ' ' << group.retry_max_times << '\n';
    for (const auto& [where, next] : described.offsets)
        out << "offset " << where.first << ' ' << where.second.topic << '/' << where.second.queue << " = "
            << next << '\n';
    for (const auto& [where, lock] : described.locks)
        out << "lock " << where.first << ' ' << where.second.topic << '/' << where.second.queue << " = "
            << lock.owner << ' ' << lock.epoch << '\n';
    for (const auto& [queue, positions] : described.messages)
        out << "queue " << queue.topic << '/' << queue.queue << " = " << positions.size() << '\n';
    out << "next topic " << described.next_topic << '\n';
    return out.str();
}

class random_log {
  public:
    explicit random_log(std::uint64_t seed) : random_(seed) {}

    logged_entry next() {
        entry_draft draft;
        logged_entry made;
        made.position = end_;
        for (auto commands = 1 + random_.below(6); commands > 0; --commands)
            add(draft, made);
        made.bytes = draft.release();
        end_ = made.end();
        return made;
    }

    [[nodiscard]] const log_model& model() const { return model_; }
    [[nodiscard]] log_position end() const { return end_; }
    random_source& random() { return random_; }

  private:
    std::string name(const char* prefix) { return prefix + std::to_string(random_.below(4)); }
    topic_id any_topic() { return topic_id{1 + random_.below(model_.next_topic.value())}; }

    void add(entry_draft& draft, logged_entry& entry) {
        switch (random_.below(17)) {
        case 16:
            return lock(draft);
        case 0:
        case 1:
            return put_topic(draft);
        case 2:
            return delete_topic(draft);
        case 3:
            return put_group(draft);
        case 4:
            if (random_.one_in(4))
                return delete_group(draft);
            [[fallthrough]];
        case 5:
            return commit(draft);
        default:
            return message(draft, entry);
        }
    }

    void put_topic(entry_draft& draft) {
        topic_config config;
        config.name = name("T");
        config.read_queues = config.write_queues = 1 + random_.below(8);
        draft.add(command_kind::topic_put, encode(config));
        const auto known = model_.topics.find(config.name);
        config.id = known != model_.topics.end() ? known->second.id
                                                 : std::exchange(model_.next_topic, model_.next_topic + 1U);
        model_.topics[config.name] = config;
    }

    void delete_topic(entry_draft& draft) {
        const auto gone = name("T");
        draft.add(command_kind::topic_delete, gone);
        const auto found = model_.topics.find(gone);
        if (found == model_.topics.end())
            return;
        const auto id = found->second.id;
        model_.topics.erase(found);
        std::erase_if(model_.messages, [&](const auto& queue) { return queue.first.topic == id; });
        std::erase_if(model_.offsets, [&](const auto& offset) { return offset.first.second.topic == id; });
        std::erase_if(model_.locks, [&](const auto& lock) { return lock.first.second.topic == id; });
    }

    void put_group(entry_draft& draft) {
        group_config config;
        config.name = name("G");
        config.retry_max_times = random_.below(20);
        draft.add(command_kind::group_put, encode(config));
        model_.groups[config.name] = config;
    }

    void delete_group(entry_draft& draft) {
        const auto gone = name("G");
        draft.add(command_kind::group_delete, gone);
        model_.groups.erase(gone);
        std::erase_if(model_.offsets, [&](const auto& offset) { return offset.first.first == gone; });
        std::erase_if(model_.locks, [&](const auto& lock) { return lock.first.first == gone; });
    }

    void commit(entry_draft& draft) {
        std::vector<offset_commit> commits;
        for (auto count = 1 + random_.below(3); count > 0; --count)
            commits.push_back({name("G"),
                               {any_topic(), queue_number{random_.below(3)}},
                               queue_offset{random_.below(1000)}});
        draft.add(command_kind::offsets_commit, encode(commits));
        for (const auto& commit : commits)
            if (model_.exists(commit.queue.topic))
                model_.offsets[{commit.group, commit.queue}] = commit.next;
    }

    // Takes or gives back, as often as not with an epoch that is late or early.
    void lock(entry_draft& draft) {
        lock_changes changes{name("G"), {}};
        for (auto count = 1 + random_.below(3); count > 0; --count) {
            const queue_key queue{any_topic(), queue_number{random_.below(3)}};
            auto& current = model_.locks[{changes.group, queue}];
            queue_lock after{random_.one_in(3) ? "" : name("client"), current.epoch + 1};
            if (random_.one_in(3))
                after.epoch = random_.below(8);
            changes.changes.push_back({queue, after});
            if (model_.exists(queue.topic) && after.epoch == current.epoch + 1)
                current = after;
            if (current.epoch == 0)
                model_.locks.erase({changes.group, queue});
        }
        draft.add(command_kind::queue_locks, encode(changes));
    }

    // Sent to any topic that there ever was, as by sessions that know nothing of a deletion yet.
    void message(entry_draft& draft, logged_entry& entry) {
        if (model_.next_topic == topic_id{1})
            return put_topic(draft);
        const queue_key queue{topic_id{1 + random_.below(model_.next_topic.value() - 1)},
                              queue_number{random_.below(3)}};
        const auto place = draft.next_payload();
        const auto record = draft.add_message(queue, 7, 91 + random_.below(50));
        std::fill(record.begin(), record.end(), std::byte{1});
        if (!model_.exists(queue.topic))
            return entry.offsets.push_back(queue_offset{-1});
        auto& messages = model_.messages[queue];
        entry.offsets.emplace_back(static_cast<std::int64_t>(messages.size()));
        messages.push_back(entry.position + place);
    }

    random_source random_;
    log_model model_;
    log_position end_;
};

} // namespace holdfast::broker::testing
