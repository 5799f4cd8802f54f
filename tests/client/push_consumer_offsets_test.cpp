// Where a consumer begins, and what it does when the broker says that it stands wrong.
#include "tests/client/consumer_fixture.hpp"
#include "tests/client/fake_session.hpp"

#include "protocol/queue_bodies.hpp"

#include <cstdlib>
#include <filesystem>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::consumer_at_a_fake;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;
using testing::script_says;
using testing::seen_request;
using ::testing::UnorderedElementsAre;

class consumer_offsets : public consumer_at_a_fake {
  protected:
    consumer_offsets() {
        broker_->add_topic("T", 1);
        for (int number = 0; number < 6; ++number)
            broker_->store("T", 0, std::to_string(number));
    }
    // Answers the first pull of the topic like this; the others are served.
    void answer_first_pull(response_code code, const protocol::pull_message_response& with,
                           std::string body = {}) {
        broker_->on(request_code::pull_message, [=, said = false](const seen_request& request) mutable {
            if (*request.command.find("topic") != "T" || std::exchange(said, true))
                return script_says::serve;
            byte_buffer out;
            protocol::append_response(out, protocol::answer_to::of(request.command), with, as_bytes(body),
                                      code);
            request.from->write(out.view());
            return script_says::stay_silent;
        });
    }
};

TEST_F(consumer_offsets, begin_at_the_end_of_a_queue_by_default) {
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 6))
        << "the starting point is committed, so that a restart does not move it";
    broker_->store("T", 0, "new");
    ASSERT_TRUE(seen_.wait_for(1));
    EXPECT_THAT(seen_.bodies(), ElementsAre("new"));
}

TEST_F(consumer_offsets, begin_at_the_first_message_there_is) {
    broker_->trim("T", 0, 2);
    auto with = options();
    with.from = consume_from::first;
    const auto consumer = consume(with);
    ASSERT_TRUE(seen_.wait_for(4));
    EXPECT_TRUE(wait_committed(0, 6));
}

TEST_F(consumer_offsets, begin_at_a_time) {
    auto with = options();
    with.from = consume_from::time;
    with.from_time = timestamp_ms{2'004};
    const auto consumer = consume(with);
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_TRUE(wait_committed(0, 6));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("4", "5"));
}

TEST_F(consumer_offsets, begin_where_the_group_stands) {
    broker_->set_committed("G", "T", 0, 4);
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("4", "5"));
}

// Trap T1: only code 22 means that nothing is stored; whatever else goes wrong must not move the group.
TEST_F(consumer_offsets, are_asked_again_after_any_failure_but_22) {
    broker_->set_committed("G", "T", 0, 3);
    int asked = 0;
    broker_->on(request_code::query_consumer_offset, [&](const seen_request& request) {
        if (*request.command.find("topic") != "T" || ++asked > 4)
            return script_says::serve;
        if (asked == 1)
            return script_says::close;
        const std::array codes{response_code::system_error, response_code::service_not_available,
                               response_code::topic_not_exist};
        fake_broker::refuse(request, codes[static_cast<std::size_t>(asked) - 2], "recovering");
        return script_says::stay_silent;
    });
    bool asked_for_end = false;
    broker_->on(request_code::get_max_offset, [&](const seen_request&) {
        asked_for_end = true;
        return script_says::serve;
    });
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(3));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("3", "4", "5"));
    EXPECT_FALSE(asked_for_end);
    EXPECT_THAT(troubles(), ::testing::Contains(HasSubstr("where to begin")));
}

TEST_F(consumer_offsets, wait_when_the_end_of_the_queue_is_not_known) {
    broker_->on(request_code::get_max_offset, [](const seen_request& request) {
        if (request.number > 2)
            return script_says::serve;
        fake_broker::refuse(request, response_code::system_error, "recovering");
        return script_says::stay_silent;
    });
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 6));
}

// Trap T2: one answer 21 moves nothing.
TEST_F(consumer_offsets, are_not_moved_by_a_single_answer_21) {
    broker_->set_committed("G", "T", 0, 2);
    answer_first_pull(
        response_code::pull_offset_moved,
        {.next_begin_offset = queue_offset{5}, .min_offset = queue_offset{5}, .max_offset = queue_offset{6}});
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(4));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("2", "3", "4", "5"));
}

// An offset within the queue needs no correction: a broker that moves it tells about a reset (222), once.
TEST_F(consumer_offsets, are_moved_at_once_by_a_reset) {
    broker_->set_committed("G", "T", 0, 4);
    answer_first_pull(
        response_code::pull_offset_moved,
        {.next_begin_offset = queue_offset{1}, .min_offset = queue_offset{0}, .max_offset = queue_offset{6}});
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 6));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(consumer_offsets, move_over_what_retention_deleted) {
    broker_->trim("T", 0, 4);
    broker_->set_committed("G", "T", 0, 1);
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("4", "5"));
    EXPECT_TRUE(wait_committed(0, 6));
}

TEST_F(consumer_offsets, come_back_from_beyond_the_end) {
    broker_->set_committed("G", "T", 0, 900);
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 6));
    broker_->store("T", 0, "new");
    ASSERT_TRUE(seen_.wait_for(1));
    EXPECT_THAT(seen_.bodies(), ElementsAre("new"));
}

TEST_F(consumer_offsets, survive_refused_pulls) {
    broker_->set_committed("G", "T", 0, 0);
    int refused = 0;
    broker_->on(request_code::pull_message, [&](const seen_request& request) {
        const std::array codes{response_code::subscription_not_exist, response_code::subscription_not_latest,
                               response_code::flow_control, response_code::system_busy, response_code{777}};
        if (*request.command.find("topic") != "T" || static_cast<std::size_t>(refused) == codes.size())
            return script_says::serve;
        fake_broker::refuse(request, codes[static_cast<std::size_t>(refused++)], "not now");
        return script_says::stay_silent;
    });
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(6));
    EXPECT_EQ(refused, 5);
}

TEST_F(consumer_offsets, go_with_an_empty_answer_20) {
    broker_->set_committed("G", "T", 0, 0);
    answer_first_pull(
        response_code::pull_retry_immediately,
        {.next_begin_offset = queue_offset{3}, .min_offset = queue_offset{0}, .max_offset = queue_offset{6}});
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(3));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("3", "4", "5"));
    EXPECT_TRUE(wait_committed(0, 6));
}

TEST_F(consumer_offsets, keep_what_was_read_before_a_damaged_record) {
    broker_->set_committed("G", "T", 0, 0);
    const protocol::stored_message good{.queue = queue_number{0},
                                        .offset = queue_offset{0},
                                        .body = as_bytes("0"),
                                        .topic = "T",
                                        .properties = {},
                                        .more_properties = {}};
    std::string body(good.size(), '\0');
    protocol::write_stored_message(reinterpret_cast<std::byte*>(body.data()), good);
    body += std::string(120, '\x7f');
    answer_first_pull(
        response_code::success,
        {.next_begin_offset = queue_offset{2}, .min_offset = queue_offset{0}, .max_offset = queue_offset{6}},
        body);
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(6));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("0", "1", "2", "3", "4", "5"));
    EXPECT_TRUE(wait_committed(0, 6));
}

TEST_F(consumer_offsets, are_committed_again_when_the_broker_refused) {
    broker_->set_committed("G", "T", 0, 0);
    broker_->on(request_code::update_consumer_offset, [](const seen_request& request) {
        if (request.number > 3)
            return script_says::serve;
        fake_broker::refuse(request, response_code::system_busy, "not now");
        return script_says::stay_silent;
    });
    const auto consumer = consume(options());
    EXPECT_TRUE(wait_committed(0, 6));
}

TEST_F(consumer_offsets, are_reset_when_the_broker_orders_it) {
    broker_->set_committed("G", "T", 0, 6);
    const auto consumer = consume(options());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->count(request_code::pull_message) >= 2; }));
    const std::string table = protocol::encode_offset_table({{{"T", "fake-broker", 0}, queue_offset{4}}});
    broker_->tell_group(
        "G", protocol::reset_client_offset_request{.topic = "T", .group = "G", .queue_id = {}, .offset = {}},
        true, as_bytes(table));
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("4", "5"));
}

class broadcast_offsets : public consumer_offsets {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "holdfast-broadcast-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    push_consumer_options broadcasting(const char* member) const {
        auto with = options();
        with.model = message_model::broadcasting;
        with.from = consume_from::first;
        with.offset_directory = directory_ / member;
        return with;
    }
    std::filesystem::path directory_;
};

TEST_F(broadcast_offsets, are_kept_in_a_file_by_every_member) {
    {
        testing::seen_messages others;
        const auto one = consume(broadcasting("one"));
        const auto two = consume(broadcasting("two"), [&](delivery each) {
            others.add(each);
            each.ack();
        });
        ASSERT_TRUE(seen_.wait_for(6));
        ASSERT_TRUE(others.wait_for(6));
    }
    EXPECT_EQ(broker_->count(request_code::update_consumer_offset), 0);
    EXPECT_EQ(broker_->count(request_code::query_consumer_offset), 0);
    broker_->store("T", 0, "next");
    const auto again = consume(broadcasting("one"));
    ASSERT_TRUE(seen_.wait_for(7));
    EXPECT_EQ(seen_.bodies().back(), "next");
    EXPECT_EQ(seen_.bodies().size(), 7U);
}

TEST_F(broadcast_offsets, do_not_pass_what_was_not_acknowledged) {
    {
        const auto one = consume(broadcasting("one"), [&](delivery each) {
            if (each.body() != "2")
                each.ack();
            seen_.add(each);
        });
        ASSERT_TRUE(seen_.wait_for(6));
    }
    testing::seen_messages again;
    const auto one = consume(broadcasting("one"), [&](delivery each) {
        again.add(each);
        each.ack();
    });
    ASSERT_TRUE(again.wait_for(4));
    EXPECT_THAT(again.bodies(), UnorderedElementsAre("2", "3", "4", "5"));
}

} // namespace
} // namespace holdfast::client
