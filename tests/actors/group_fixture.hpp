// A broker for tests of consumer groups: members that join, lock, pull and commit, and an operator.
#pragma once

#include "tests/actors/fixture.hpp"

#include "protocol/queue_bodies.hpp"

namespace holdfast::actors::testing {

using protocol::response_code;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

class consumer_groups : public actor_fixture {
  protected:
    struct member {
        fake_connection_ptr connection;
        consumer_session_actor session;
        std::string client;
    };

    void set_up_topic(int messages = 0) {
        lead();
        make_topic("T");
        const auto sender = connect();
        incoming frames;
        for (int i = 0; i < messages; ++i)
            frames.send(i + 1, "T", "m" + std::to_string(i), 0);
        if (messages > 0)
            deliver(producer(sender), frames);
        flush_all();
    }
    // The topic, made anew, with messages.
    void remake_topic(int messages) {
        delete_topic("T");
        make_topic("T");
        const auto sender = connect();
        incoming frames;
        for (int i = 0; i < messages; ++i)
            frames.send(i + 1, "T", "new" + std::to_string(i), 0);
        deliver(producer(sender), frames);
        flush_all();
    }
    // A connection that has not joined the group.
    member stranger() {
        const auto connection = connect();
        return {connection, consumer(connection), "stranger"};
    }
    member join(const std::string& client, protocol::language language = protocol::language::java) {
        auto made = stranger();
        made.client = client;
        beat(made, language);
        return made;
    }
    void beat(const member& of, protocol::language language = protocol::language::java) {
        const protocol::heartbeat beat{
            of.client, {}, {{.group = "workers", .subscriptions = {{.topic = "T", .expression = "*"}}}}};
        byte_buffer frame;
        protocol::call how;
        how.opaque = 1000;
        how.language = language;
        protocol::append_request(frame, how, protocol::heart_beat_request{},
                                 as_bytes(protocol::encode_heartbeat(beat)));
        deliver(of.session, incoming{}.raw(as_text(frame.view())));
        flush_all();
        of.connection->sent();
    }
    void leave(const member& who) {
        caf::anon_send(who.session, closed_atom::value);
        settle();
    }

    // What it was answered; members are told of changes of the group in between.
    static std::vector<sent_frame> answers(const member& who) {
        auto frames = who.connection->sent();
        std::erase_if(frames, [](const auto& frame) { return frame.is_request; });
        return frames;
    }
    static sent_frame answer(const member& who) {
        auto frames = answers(who);
        EXPECT_EQ(frames.size(), 1U);
        return frames.empty() ? sent_frame{} : frames.front();
    }

    static std::string lock_body(const std::string& client, const std::vector<std::int32_t>& queues,
                                 const std::string& topic = "T") {
        protocol::lock_batch_body body{"workers", client, {}};
        for (const auto queue : queues)
            body.queues.push_back({topic, "broker-a", queue});
        return protocol::encode_lock_batch(body);
    }
    void ask_lock(const member& who, const std::vector<std::int32_t>& queues, std::int32_t opaque = 1) {
        deliver(who.session,
                incoming{}.add(opaque, protocol::lock_batch_request{}, lock_body(who.client, queues)));
    }
    static std::vector<std::int32_t> locked(const sent_frame& answer) {
        EXPECT_EQ(answer.code, 0) << answer.remark;
        const auto queues = protocol::decode_locked_queues(as_bytes(answer.body));
        EXPECT_TRUE(queues.ok());
        std::vector<std::int32_t> numbers;
        if (queues.ok())
            for (const auto& queue : *queues)
                numbers.push_back(queue.queue_id);
        return numbers;
    }
    std::vector<std::int32_t> lock(const member& who, const std::vector<std::int32_t>& queues) {
        ask_lock(who, queues);
        flush_all();
        return locked(answer(who));
    }
    void unlock(const member& who, const std::vector<std::int32_t>& queues) {
        deliver(who.session,
                incoming{}.add(1, protocol::unlock_batch_request{}, lock_body(who.client, queues), true));
        flush_all();
    }

    // Without waiting for more messages; the answer.
    sent_frame pull(const member& who, std::int64_t offset, std::uint32_t queue = 0) {
        auto request = pull_of("T", offset);
        request.queue = queue_number{queue};
        deliver(who.session, incoming{}.add(2, request));
        return answer(who);
    }
    void hold_pull(const member& who, std::int64_t offset, std::int32_t opaque) {
        auto request = pull_of("T", offset);
        request.sys_flag |= protocol::pull_flag::suspend;
        request.suspend_timeout_ms = 15'000;
        deliver(who.session, incoming{}.add(opaque, request));
    }
    // As Java's clients do, every few seconds: nobody waits for an answer.
    void commit_oneway(const member& who, std::int64_t offset, std::uint32_t queue = 0) {
        deliver(who.session, incoming{}.add(3,
                                            protocol::update_consumer_offset_request{
                                                "workers", "T", queue_number{queue}, queue_offset{offset}},
                                            {}, true));
        advance(std::chrono::seconds{6});
        flush_all();
    }
    // As they do while they consume: with a pull.
    void pull_and_commit(const member& who, std::int64_t offset) {
        auto request = pull_of("T", offset);
        request.sys_flag |= protocol::pull_flag::commit_offset;
        request.commit_offset = queue_offset{offset};
        deliver(who.session, incoming{}.add(2, request));
        advance(std::chrono::seconds{6});
        flush_all();
        who.connection->sent();
    }
    // Answered 0, whether it counted or not.
    void commit(const member& who, std::int64_t offset, std::uint32_t queue = 0) {
        deliver(who.session,
                incoming{}.add(3, protocol::update_consumer_offset_request{
                                      "workers", "T", queue_number{queue}, queue_offset{offset}}));
        flush_all();
        EXPECT_EQ(answer(who).code, 0);
    }
    std::int64_t stored(std::uint32_t queue = 0) const {
        return view->offset("workers", queue_of("T", queue)).value_or(queue_offset{-1}).value();
    }
    sent_frame query(std::uint32_t queue) {
        const auto asker = stranger();
        deliver(asker.session, incoming{}.add(4, protocol::query_consumer_offset_request{
                                                     "workers", "T", queue_number{queue}, {}}));
        return asker.connection->only();
    }
    static protocol::reset_offset_request reset_to(std::int64_t timestamp, bool is_forced = true) {
        return {
            .topic = "T", .group = "workers", .timestamp = timestamp_ms{timestamp}, .is_forced = is_forced};
    }
    static protocol::reset_offset_request reset_queue(std::int32_t queue, std::int64_t offset) {
        auto request = reset_to(0);
        request.queue_id = queue;
        request.offset = offset;
        return request;
    }
    template <class Request>
    sent_frame ask_operator(const Request& request) {
        const auto connection = connect();
        ask_admin(connection, incoming{}.add(9, request));
        flush_all();
        return connection->only();
    }
    static std::map<std::int32_t, std::int64_t> table_of(const sent_frame& frame) {
        const auto table = protocol::decode_offset_table(as_bytes(frame.body));
        EXPECT_TRUE(table.ok());
        std::map<std::int32_t, std::int64_t> offsets;
        if (table.ok())
            for (const auto& [queue, offset] : *table)
                offsets[queue.queue_id] = offset.value();
        return offsets;
    }
};

} // namespace holdfast::actors::testing
