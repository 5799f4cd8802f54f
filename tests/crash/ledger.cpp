#include "tests/crash/ledger.hpp"

#include "protocol/message_id.hpp"

#include <algorithm>

namespace holdfast::crash {
namespace {

constexpr std::size_t name_bytes = 8;

std::string text_of(std::uint64_t packed_name) {
    return "message " + std::to_string(packed_name >> 32U) + "/" + std::to_string(packed_name & 0xFFFFFFFFU);
}

std::string text_of(const queue_place& queue) {
    return queue.topic + ":" + std::to_string(queue.queue);
}

} // namespace

std::string make_body(message_name name, std::size_t size) {
    std::string body(std::max(size, name_bytes), static_cast<char>('a' + name.number % 26));
    store_big(reinterpret_cast<std::byte*>(body.data()), name.packed());
    return body;
}

ledger::ledger(std::vector<std::string> topics, std::int32_t queues)
    : topics_(std::move(topics)), queues_(queues) {}

std::uint32_t ledger::new_producer() {
    const std::lock_guard lock{mutex_};
    sent_.push_back(0);
    return static_cast<std::uint32_t>(sent_.size() - 1);
}

message_name ledger::new_message(std::uint32_t producer) {
    const std::lock_guard lock{mutex_};
    return {producer, sent_[producer]++};
}

void ledger::fail(const std::string& problem) {
    if (problem_.empty())
        problem_ = problem;
}

void ledger::know(std::uint64_t name, place where, const char* who) {
    const auto [known, is_new] = known_.try_emplace(name, where);
    if (!is_new && known->second != where)
        fail(text_of(name) + " is at " + text_of(known->second.queue) + " offset " +
             std::to_string(known->second.offset) + " position " + std::to_string(known->second.position) +
             ", but " + who + " says " + text_of(where.queue) + " offset " + std::to_string(where.offset) +
             " position " + std::to_string(where.position));
}

void ledger::answered(const std::string& topic, std::span<const message_name> names,
                      const client::send_result& answer) {
    if (!answer.ok())
        return;
    const auto& receipt = answer.receipt();
    const std::lock_guard lock{mutex_};
    std::string_view ids = receipt.offset_message_id;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto id = protocol::parse_message_id(ids.substr(0, ids.find(',')));
        if (!id.ok())
            return fail("an answer's message id: " + id.failure().message);
        ids.remove_prefix(std::min(ids.size(), protocol::message_id_chars + 1));
        const auto offset = receipt.offset.value() + static_cast<std::int64_t>(i);
        know(names[i].packed(),
             {{topic, static_cast<std::int32_t>(receipt.queue.value())},
              offset,
              static_cast<std::int64_t>(id->position.value())},
             "an answer");
        ++answered_;
    }
}

void ledger::topic_made(const std::string& topic) {
    const std::lock_guard lock{mutex_};
    made_topics_.push_back(topic);
}

void ledger::consumed(const queue_place& queue, const protocol::stored_message_view& record) {
    const std::lock_guard lock{mutex_};
    if (record.body.size() < name_bytes)
        return fail("a consumer got a body that nobody sent");
    know(load_big<std::uint64_t>(record.body.data()), {queue, record.offset.value(), record.physical_offset},
         "a consumer");
}

void ledger::commit_tried(const queue_place& queue, std::int64_t next) {
    const std::lock_guard lock{mutex_};
    auto& known = commits_[queue];
    known.most_tried = std::max(known.most_tried, next);
}

void ledger::commit_answered(const queue_place& queue, std::int64_t next) {
    const std::lock_guard lock{mutex_};
    auto& known = commits_[queue];
    known.answered = std::max(known.answered, next);
    ++commits_answered_;
}

std::int64_t ledger::committed(const queue_place& queue) {
    const std::lock_guard lock{mutex_};
    return std::max<std::int64_t>(commits_[queue].most_tried, 0);
}

std::string ledger::verify(const server_address& broker) {
    const std::lock_guard lock{mutex_};
    found_.clear();
    last_found_.clear();
    wire_client client{broker};
    for (const auto& topic : made_topics_) {
        const auto answer = client.ask(protocol::get_max_offset_request{.topic = topic});
        if (!answer || !answer->ok())
            fail("the topic " + topic + " was made and answered, and is gone");
    }
    for (const auto& topic : topics_)
        for (std::int32_t queue = 0; queue < queues_ && problem_.empty(); ++queue)
            if (check_queue(client, {topic, queue}))
                check_commit(client, {topic, queue});
    if (problem_.empty())
        check_all_found();
    if (problem_.empty())
        known_ = std::move(found_);
    return problem_;
}

bool ledger::check_queue(wire_client& client, const queue_place& queue) {
    const queue_number number{static_cast<std::uint32_t>(queue.queue)};
    const auto most = client.ask(protocol::get_max_offset_request{.topic = queue.topic, .queue = number});
    if (!most || !most->ok()) {
        fail(text_of(queue) +
             ": no max offset: " + (most ? std::string{most->command.remark()} : std::string{"no answer"}));
        return false;
    }
    const auto last = protocol::decode_header<protocol::offset_response>(most->command)->offset.value();
    std::int64_t next = 0;
    while (next < last) {
        const auto got =
            client.ask(protocol::pull_message_request{.consumer_group = group,
                                                      .topic = queue.topic,
                                                      .queue = number,
                                                      .offset = queue_offset{next},
                                                      .max_messages = 1024,
                                                      .sys_flag = protocol::pull_flag::subscription,
                                                      .subscription = "*"});
        if (!got || !got->ok()) {
            fail(text_of(queue) + " at offset " + std::to_string(next) + " of " + std::to_string(last) +
                 ": " +
                 (got ? std::to_string(got->code()) + " " + std::string{got->command.remark()}
                      : std::string{"no answer"}));
            return false;
        }
        protocol::stored_message_reader records{got->command.body()};
        while (const auto record = records.next()) {
            if (!record->ok()) {
                fail(text_of(queue) + ": " + record->failure().message);
                return false;
            }
            if (!check_record(queue, next++, **record))
                return false;
        }
    }
    return true;
}

bool ledger::check_record(const queue_place& queue, std::int64_t expected,
                          const protocol::stored_message_view& record) {
    const auto where = text_of(queue) + " offset " + std::to_string(expected) + ": ";
    const auto wrong = [&](const std::string& what) {
        fail(where + what);
        return false;
    };
    if (record.offset.value() != expected)
        return wrong("the record says offset " + std::to_string(record.offset.value()));
    if (record.topic != queue.topic || record.queue_id != queue.queue)
        return wrong("the record belongs to another queue");
    if (!record.body_is_intact() || record.body.size() < name_bytes)
        return wrong("the body is damaged");
    const auto name = load_big<std::uint64_t>(record.body.data());
    const auto producer = static_cast<std::uint32_t>(name >> 32U);
    const auto number = static_cast<std::uint32_t>(name);
    if (producer >= sent_.size() || number >= sent_[producer])
        return wrong("a message that was never sent");
    if (as_text(record.body) != make_body({producer, number}, record.body.size()))
        return wrong("not the body that was sent");
    if (!found_.try_emplace(name, place{queue, expected, record.physical_offset}).second)
        return wrong(text_of(name) + " is stored twice");
    const auto [last, is_first] = last_found_.try_emplace({queue, producer}, number);
    if (!is_first && last->second >= number)
        return wrong(text_of(name) + " stands behind number " + std::to_string(last->second));
    last->second = number;
    return true;
}

bool ledger::check_commit(wire_client& client, const queue_place& queue) {
    const auto& expected = commits_[queue];
    const auto answer = client.ask(protocol::query_consumer_offset_request{
        .consumer_group = group,
        .topic = queue.topic,
        .queue = queue_number{static_cast<std::uint32_t>(queue.queue)},
        .set_zero_if_not_found = false});
    if (!answer) {
        fail(text_of(queue) + ": no answer to an offset query");
        return false;
    }
    std::int64_t stored = -1;
    if (answer->ok())
        stored = protocol::decode_header<protocol::offset_response>(answer->command)->offset.value();
    // A group that is known in the topic begins a queue that it has no offset for at the queue's beginning.
    const bool begins = stored == 0 && expected.most_tried < 0;
    if (!begins && (stored < expected.answered || stored > expected.most_tried)) {
        fail(text_of(queue) + ": the group's offset is " + std::to_string(stored) + ", answered OK was " +
             std::to_string(expected.answered) + ", tried up to " + std::to_string(expected.most_tried));
        return false;
    }
    return true;
}

void ledger::check_all_found() {
    for (const auto& [name, where] : known_) {
        const auto found = found_.find(name);
        if (found == found_.end())
            return fail(text_of(name) + ", promised at " + text_of(where.queue) + " offset " +
                        std::to_string(where.offset) + " position " + std::to_string(where.position) +
                        ", is lost");
        if (found->second != where)
            return fail(text_of(name) + ", promised at " + text_of(where.queue) + " offset " +
                        std::to_string(where.offset) + " position " + std::to_string(where.position) +
                        ", is at " + text_of(found->second.queue) + " offset " +
                        std::to_string(found->second.offset) + " position " +
                        std::to_string(found->second.position));
    }
}

} // namespace holdfast::crash
