#include "broker/message_intake.hpp"

#include "broker/delivery_records.hpp"
#include "broker/send_back.hpp"
#include "broker/served_record.hpp"

#include "base/byte_buffer.hpp"
#include "protocol/batch.hpp"
#include "protocol/stored_message.hpp"
#include "protocol/tags.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using protocol::response_code;
using namespace std::string_literals;

constexpr protocol::ipv4_host store_host{0x7F000001, 10911};
constexpr protocol::ipv4_host born_host{0x0A000001, 4321};

intake_settings settings() {
    using namespace std::chrono_literals;
    return {"C", 1000, 8192, store_host, {{1s, 5s, 10s}, 24h}, false};
}

topic_config topic() {
    topic_config config;
    config.name = "T";
    config.id = topic_id{5};
    config.read_queues = 4;
    config.write_queues = 4;
    return config;
}

protocol::send_message_request request(std::string_view body = "hello", std::string_view properties = {}) {
    protocol::send_message_request made;
    made.producer_group = "p";
    made.topic = "T";
    made.default_topic = "TBW102";
    made.queue_id = 1;
    made.born = timestamp_ms{77};
    made.flag = 9;
    made.body = as_bytes(body);
    made.properties = properties;
    return made;
}

// What one send became.
struct taken {
    std::optional<refusal> refused;
    taken_send send;
    entry_draft draft;
    std::vector<std::uint32_t> places;

    [[nodiscard]] protocol::stored_message_view message(std::size_t index = 0) const {
        const auto decoded = protocol::decode_stored_message(draft.bytes().subspan(places.at(index)));
        EXPECT_TRUE(decoded.ok());
        return decoded.ok() ? *decoded : protocol::stored_message_view{};
    }
    [[nodiscard]] command_header header() const {
        command_cursor cursor{draft.bytes(), storage::entry_header_size};
        return cursor.next()->header;
    }
};

taken take(const protocol::send_message_request& sent, const topic_config& to = topic(),
           std::uint32_t spread = 0, const intake_settings& with = settings()) {
    taken outcome;
    message_intake intake{with};
    outcome.refused = intake.take(sent, to, born_host, spread, outcome.draft, outcome.places, outcome.send);
    return outcome;
}

response_code code_of(const std::optional<refusal>& refused) {
    EXPECT_TRUE(refused.has_value());
    if (!refused)
        return response_code::success;
    EXPECT_FALSE(refused->remark.empty()) << "a refusal says why";
    return refused->code;
}

std::string batch_of(const std::vector<protocol::batch_message>& messages) {
    byte_buffer bytes;
    for (const auto& message : messages)
        protocol::append_batch_message(bytes, message);
    return std::string{as_text(bytes.view())};
}

// --- what is stored
// ---------------------------------------------------------------------------------------------------

TEST(message_intake, stores_a_message_as_it_was_sent) {
    const auto stored = take(request("hello", "KEYS\x01k\x02TAGS\x01TagA"));
    ASSERT_FALSE(stored.refused);
    EXPECT_EQ(stored.send.messages, 1U);
    EXPECT_EQ(stored.send.queue, queue_number{1});
    const auto message = stored.message();
    EXPECT_EQ(as_text(message.body), "hello");
    EXPECT_TRUE(message.body_is_intact());
    EXPECT_EQ(message.topic, "T");
    EXPECT_EQ(message.queue_id, 1);
    EXPECT_EQ(message.flag, 9);
    EXPECT_EQ(message.born, timestamp_ms{77});
    EXPECT_EQ(message.born_host.to_ipv4(), born_host);
    EXPECT_EQ(message.store_host.to_ipv4(), store_host);
    EXPECT_EQ(message.property("KEYS"), "k");
    EXPECT_EQ(stored.header().tags, protocol::java_hash("TagA"));
    EXPECT_EQ(stored.header().topic, topic_id{5});
}

TEST(message_intake, takes_WAIT_out_and_puts_CLUSTER_in) {
    const auto stored = take(request("x", "KEYS\x01k\x02WAIT\x01true\x02TAGS\x01t\x02"));
    ASSERT_FALSE(stored.refused);
    EXPECT_EQ(stored.message().properties, "KEYS\x01k\x02TAGS\x01t\x02"
                                           "CLUSTER\x01"
                                           "C\x02");
    EXPECT_EQ(stored.message().property("WAIT"), std::nullopt);
    const auto bare = take(request("x", ""));
    EXPECT_EQ(bare.message().properties, "CLUSTER\x01"
                                         "C\x02");
    const auto no_separator = take(request("x", "A\x01"
                                                "b"));
    EXPECT_EQ(no_separator.message().properties, "A\x01"
                                                 "b\x02"
                                                 "CLUSTER\x01"
                                                 "C\x02");
}

TEST(message_intake, T13_only_ipv4_hosts_are_stored) {
    auto sent = request();
    sent.sys_flag = protocol::sys_flag::born_host_ipv6 | protocol::sys_flag::store_host_ipv6;
    const auto stored = take(sent);
    ASSERT_FALSE(stored.refused);
    const auto message = stored.message();
    EXPECT_EQ(message.sys_flag & (protocol::sys_flag::born_host_ipv6 | protocol::sys_flag::store_host_ipv6),
              0);
    EXPECT_FALSE(message.born_host.is_ipv6);
    EXPECT_FALSE(message.store_host.is_ipv6);
    EXPECT_EQ(as_text(message.body), "hello") << "so every field stands where clients look for it";
}

TEST(message_intake, a_compressed_body_is_stored_as_sent) {
    auto sent = request("\x78\x9c not looked at");
    sent.sys_flag = protocol::sys_flag::compressed;
    const auto stored = take(sent);
    ASSERT_FALSE(stored.refused);
    EXPECT_NE(stored.message().sys_flag & protocol::sys_flag::compressed, 0);
    EXPECT_EQ(as_text(stored.message().body), "\x78\x9c not looked at");
}

TEST(message_intake, a_topic_with_several_tags_marks_its_messages) {
    auto several = topic();
    several.multi_tags = true;
    EXPECT_NE(take(request(), several).message().sys_flag & protocol::sys_flag::multi_tags, 0);
    EXPECT_EQ(take(request()).message().sys_flag & protocol::sys_flag::multi_tags, 0);
}

TEST(message_intake, chooses_a_queue_when_the_client_leaves_it_to_the_broker) {
    auto sent = request();
    sent.queue_id = -1;
    auto narrow = topic();
    narrow.write_queues = 3;
    for (std::uint32_t spread = 0; spread < 7; ++spread)
        EXPECT_EQ(take(sent, narrow, spread).send.queue, queue_number{spread % 3});
    narrow.write_queues = 0;
    EXPECT_EQ(take(sent, narrow, 5).send.queue, queue_number{0});
}

TEST(message_intake, a_queue_may_be_one_to_read_or_to_write) {
    auto shrinking = topic();
    shrinking.write_queues = 1;
    auto sent = request();
    sent.queue_id = 3;
    EXPECT_FALSE(take(sent, shrinking).refused);
    sent.queue_id = 4;
    EXPECT_EQ(code_of(take(sent, shrinking).refused), response_code::system_error);
}

// --- what is refused, with which code
// ---------------------------------------------------------------------------------

TEST(message_intake, refuses_before_the_topic_is_known) {
    const auto code_for = [](std::string_view name, std::int32_t sys_flag = 0) {
        auto sent = request();
        sent.topic = name;
        sent.sys_flag = sys_flag;
        return code_of(message_intake::check_request(sent));
    };
    EXPECT_FALSE(message_intake::check_request(request()));
    EXPECT_EQ(code_for(""), response_code::system_error);
    EXPECT_EQ(code_for("a b"), response_code::system_error);
    EXPECT_EQ(code_for(std::string(128, 'a')), response_code::system_error);
    EXPECT_EQ(code_for("SCHEDULE_TOPIC_XXXX"), response_code::no_permission);
    EXPECT_EQ(code_for("RMQ_SYS_TRANS_HALF_TOPIC"), response_code::no_permission);
    EXPECT_EQ(code_for("T", protocol::sys_flag::transaction_commit), response_code::message_illegal);
    EXPECT_EQ(code_for("T", protocol::sys_flag::transaction_rollback), response_code::message_illegal);
    auto retried = request();
    retried.topic = "%RETRY%g";
    EXPECT_FALSE(message_intake::check_request(retried));
    retried.is_batch = true;
    EXPECT_EQ(code_of(message_intake::check_request(retried)), response_code::message_illegal);
    EXPECT_EQ(code_for("T", 1 << 20), response_code::message_illegal);
    EXPECT_EQ(code_for("T", std::numeric_limits<std::int32_t>::min()), response_code::message_illegal);
}

// --- halves and delays
// ----------------------------------------------------------------------------------------------

constexpr std::int64_t now_ms = 1'700'000'000'000;

taken take_at_now(const protocol::send_message_request& sent, const topic_config& to = topic()) {
    taken outcome;
    message_intake intake{settings()};
    intake.set_now(timestamp_ms{now_ms});
    outcome.refused = intake.take(sent, to, born_host, 0, outcome.draft, outcome.places, outcome.send);
    return outcome;
}

std::string property_text(std::string_view name, std::string_view value) {
    std::string text;
    protocol::append_property(text, name, value);
    return text;
}

byte_view payload_of(const taken& sent) {
    command_cursor cursor{sent.draft.bytes(), storage::entry_header_size};
    return cursor.next()->payload;
}

TEST(message_intake, a_transactional_message_becomes_a_half_that_names_its_group) {
    for (const bool by_property : {true, false}) {
        auto sent = request("x", by_property ? "TRAN_MSG\x01true\x02PGROUP\x01payers\x02"
                                               "CHECK_IMMUNITY_TIME_IN_SECONDS\x01"
                                               "7"
                                             : "");
        sent.sys_flag = by_property ? 0 : protocol::sys_flag::transaction_prepared;
        sent.queue_id = 2;
        const auto half = take_at_now(sent);
        ASSERT_FALSE(half.refused);
        EXPECT_EQ(half.header().kind, command_kind::lean_half);
        const auto payload = decode_half(payload_of(half));
        ASSERT_TRUE(payload.ok());
        EXPECT_EQ(payload->group, by_property ? "payers" : "p");
        EXPECT_EQ(payload->immunity_ms, by_property ? 7000 : -1);
        const auto message = half.message();
        EXPECT_EQ(message.sys_flag & protocol::sys_flag::transaction_mask,
                  protocol::sys_flag::transaction_prepared);
        EXPECT_EQ(message.property("REAL_TOPIC"), std::nullopt) << "added when it is served";
        EXPECT_EQ(message.property("PGROUP"), by_property ? "payers" : "p");
    }
    EXPECT_EQ(take_at_now(request("x", property_text("TRAN_MSG", "false"))).header().kind,
              command_kind::message);
}

TEST(message_intake, refuses_a_half_that_is_delayed_or_nobodys_or_not_wanted) {
    const auto both = property_text("TRAN_MSG", "true") + property_text("DELAY", "3");
    EXPECT_EQ(code_of(take_at_now(request("x", both)).refused), response_code::message_illegal);
    auto nobodys = request("x", "TRAN_MSG\x01true");
    nobodys.producer_group = "";
    EXPECT_EQ(code_of(take_at_now(nobodys).refused), response_code::message_illegal);
    auto rejecting = settings();
    rejecting.rejects_transactions = true;
    EXPECT_EQ(code_of(take(request("x", "TRAN_MSG\x01true"), topic(), 0, rejecting).refused),
              response_code::no_permission);
}

TEST(message_intake, a_delay_is_kept_behind_the_record) {
    const auto due_of = [](std::string_view properties) -> std::optional<std::int64_t> {
        const auto sent = take_at_now(request("x", properties));
        EXPECT_FALSE(sent.refused);
        if (sent.header().kind == command_kind::message)
            return std::nullopt;
        EXPECT_EQ(sent.header().kind, command_kind::lean_delayed);
        EXPECT_EQ(sent.message().property("REAL_TOPIC"), std::nullopt) << "added when it is served";
        return decode_delayed(payload_of(sent))->due.value();
    };
    EXPECT_EQ(due_of(property_text("DELAY", "2")), -5'000) << "a level counts from the append";
    EXPECT_EQ(due_of(property_text("DELAY", "99")), -10'000) << "beyond the last level: the last";
    EXPECT_EQ(due_of(property_text("DELAY", "0")), std::nullopt);
    EXPECT_EQ(due_of(property_text("TIMER_DELAY_SEC", "3")), now_ms + 3'000);
    EXPECT_EQ(due_of(property_text("TIMER_DELAY_MS", "3")), now_ms + 3);
    EXPECT_EQ(due_of(property_text("TIMER_DELIVER_MS", std::to_string(now_ms + 9))), now_ms + 9);
    EXPECT_EQ(due_of(property_text("TIMER_DELIVER_MS", std::to_string(now_ms))), std::nullopt);
    EXPECT_EQ(due_of(property_text("TIMER_DELIVER_MS", "3")), std::nullopt) << "long ago";
    EXPECT_EQ(due_of(property_text("TIMER_DELAY_MS", "5") + property_text("DELAY", "1")), -1'000)
        << "a level wins";
    EXPECT_EQ(due_of(property_text("WAIT", "true") + property_text("TIMER_DELAY_SEC", "1")), now_ms + 1'000);
}

TEST(message_intake, a_time_of_its_own_can_be_called_back) {
    const auto sent =
        take_at_now(request("x", property_text("TIMER_DELAY_MS", "5") + property_text("UNIQ_KEY", "AB12")));
    EXPECT_EQ(sent.send.recall_at.value(), now_ms + 5);
    EXPECT_EQ(sent.send.recall_key, "AB12");
    EXPECT_EQ(take_at_now(request("x", property_text("DELAY", "1"))).send.recall_at.value(), 0);
}

TEST(message_intake, refuses_delays_that_are_no_number_or_too_long) {
    for (const auto* const name : {"DELAY", "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"})
        for (const auto* const value : {"x", "1x", "99999999999999999999"}) {
            const auto sent = take_at_now(request("x", property_text(name, value)));
            EXPECT_EQ(code_of(sent.refused), response_code::message_illegal) << name << " " << value;
            EXPECT_TRUE(sent.draft.empty());
            EXPECT_TRUE(sent.places.empty());
        }
    const auto longest = std::int64_t{24} * 3600 * 1000;
    EXPECT_FALSE(take_at_now(request("x", property_text("TIMER_DELAY_MS", std::to_string(longest)))).refused);
    for (const auto& late :
         {property_text("TIMER_DELAY_MS", std::to_string(longest + 1)),
          property_text("TIMER_DELAY_SEC", std::to_string(std::numeric_limits<std::int64_t>::max())),
          property_text("TIMER_DELIVER_MS", std::to_string(now_ms + longest + 1))})
        EXPECT_EQ(code_of(take_at_now(request("x", late)).refused), response_code::message_illegal);
}

TEST(message_intake, dead_letters_are_not_delayed) {
    auto dead = topic();
    dead.name = "%DLQ%g";
    EXPECT_EQ(take_at_now(request("x", property_text("DELAY", "3")), dead).header().kind,
              command_kind::message);
}

// ali-ons copies every property of the message and marks the send as prepared; Java before 4.6.1 copies
// TRAN_MSG and sets a delay.
TEST(message_intake, what_a_client_sends_back_itself_is_no_half_though_it_was_one) {
    const auto copied = property_text("TRAN_MSG", "true") + property_text("PGROUP", "payers") +
                        property_text("UNIQ_KEY", "AB12");
    for (const auto* const name : {"%RETRY%g", "%DLQ%g"}) {
        auto of_group = topic();
        of_group.name = name;
        for (const auto& properties :
             {copied, copied + property_text("DELAY", "3"), copied + property_text("WAIT", "true")}) {
            auto sent = request("x", properties);
            sent.topic = name;
            sent.sys_flag = protocol::sys_flag::transaction_prepared | protocol::sys_flag::compressed;
            ASSERT_FALSE(message_intake::check_request(sent));
            const auto back = take_at_now(sent, of_group);
            ASSERT_FALSE(back.refused) << name << ": " << back.refused->remark;
            const bool delayed = properties.find("DELAY") != std::string::npos && of_group.name != "%DLQ%g";
            EXPECT_EQ(back.header().kind, delayed ? command_kind::lean_delayed : command_kind::message)
                << name;
            const auto message = back.message();
            EXPECT_EQ(message.sys_flag, protocol::sys_flag::compressed);
            EXPECT_EQ(message.property("TRAN_MSG"), std::nullopt);
            EXPECT_EQ(message.property("PGROUP"), "payers");
            EXPECT_EQ(message.property("UNIQ_KEY"), "AB12");
        }
    }
    auto rejecting = settings();
    rejecting.rejects_transactions = true;
    auto retries = topic();
    retries.name = "%RETRY%g";
    EXPECT_FALSE(take(request("x", copied), retries, 0, rejecting).refused);
}

TEST(message_intake, refuses_topics_without_write_permission) {
    auto closed = topic();
    closed.permissions = permission::read;
    EXPECT_EQ(code_of(take(request(), closed).refused), response_code::no_permission);
}

TEST(message_intake, refuses_bodies_over_the_limit_and_takes_those_at_it) {
    const std::string largest(1000, 'x');
    EXPECT_FALSE(take(request(largest)).refused);
    EXPECT_EQ(code_of(take(request(largest + 'x')).refused), response_code::message_illegal);
    EXPECT_FALSE(take(request("")).refused) << "4.9 stores an empty body";
}

// --- T20: room for what the broker adds to the properties
// ----------------------------------------------------------------------------------------------------------

// A message that is sent back, as it would be stored.
struct again {
    entry_draft draft;
    protocol::stored_message_view message;
};

again send_back(const protocol::stored_message_view& message, std::int32_t level) {
    group_config group;
    group.name = std::string(120, 'g');
    const auto plan = plan_send_back(message, group, {level, std::nullopt});
    topic_config to;
    to.name = plan.topic;
    again outcome;
    const auto at = outcome.draft.next_payload();
    const auto added = add_sent_back(message, plan, to, 0, settings().delays, store_host, outcome.draft);
    EXPECT_TRUE(added.ok()) << added.failure().message;
    if (!added.ok())
        return outcome;
    const auto stored = protocol::decode_stored_message(byte_view{outcome.draft.bytes()}.subspan(at));
    EXPECT_TRUE(stored.ok());
    if (stored.ok())
        outcome.message = *stored;
    return outcome;
}

// The record's length field is a signed 16-bit number. A message that can't be sent back holds up its group.
TEST(message_intake, T20_the_largest_message_can_be_delayed_sent_back_and_become_a_dead_letter) {
    auto long_topic = topic();
    long_topic.name = std::string(127, 't');
    const auto with_delay = property_text("DELAY", "2");
    const auto largest = with_delay + "K\x01" + std::string(32767 - 512 - 2 - with_delay.size(), 'v');
    for (const auto* const kind : {"", "a batch"}) {
        auto sent = request("x", largest + "v");
        std::string batch;
        if (*kind != '\0') {
            batch = batch_of({{0, as_bytes("x"), largest.substr(with_delay.size()) + std::string(9, 'v')}});
            sent = request(batch);
            sent.is_batch = true;
        }
        const auto refused = take_at_now(sent, long_topic);
        EXPECT_EQ(code_of(refused.refused), response_code::message_illegal) << kind;
        EXPECT_TRUE(refused.draft.empty());
    }
    auto stored = take_at_now(request("x", largest), long_topic);
    ASSERT_FALSE(stored.refused) << stored.refused->remark;
    // As it is served.
    auto served = stored.message();
    const auto properties = std::string{served.properties} + '\2' +
                            property_text("REAL_TOPIC", long_topic.name) + property_text("REAL_QID", "65535");
    served.properties = properties;
    const auto retried = send_back(served, 0);
    const auto retried_again = send_back(retried.message, 2);
    const auto dead = send_back(retried_again.message, -1);
    EXPECT_EQ(dead.message.topic, "%DLQ%" + std::string(120, 'g'));
    EXPECT_EQ(dead.message.reconsume_times, 3);
    for (const auto* const step : {&retried, &retried_again, &dead}) {
        EXPECT_EQ(step->message.property("RETRY_TOPIC"), long_topic.name);
        EXPECT_TRUE(step->message.property("ORIGIN_MESSAGE_ID"));
        EXPECT_EQ(as_text(step->message.body), "x");
    }
}

// A consumer that puts a message into its retry topic itself sends all that the message had.
TEST(message_intake, T20_what_goes_to_a_retry_topic_has_had_its_room) {
    auto retry = topic();
    retry.name = "%RETRY%g";
    const auto added = "\x02"
                       "CLUSTER\x01"
                       "C\x02"s.size();
    const auto fits = "K\x01" + std::string(32767 - 2 - added, 'v');
    const auto stored = take(request("x", fits), retry);
    ASSERT_FALSE(stored.refused);
    EXPECT_EQ(stored.message().properties.size(), 32767U);
    EXPECT_EQ(code_of(take(request("x", fits + "v"), retry).refused), response_code::message_illegal);
    const auto back = send_back(stored.message(), 0);
    EXPECT_EQ(back.message.properties, stored.message().properties) << "without its origin, but it goes on";
    EXPECT_EQ(back.message.reconsume_times, 1);
}

TEST(message_intake, refuses_the_template_of_new_topics_and_impossible_producer_groups) {
    auto sent = request();
    sent.topic = "TBW102";
    EXPECT_EQ(code_of(message_intake::check_request(sent)), response_code::no_permission);
    sent = request();
    const std::string longest(255, 'p');
    const std::string too_long(256, 'p');
    for (const std::string_view good :
         {std::string_view{longest}, std::string_view{}, std::string_view{"INSTANCE%GID_a-1|x"}}) {
        sent.producer_group = good;
        EXPECT_FALSE(message_intake::check_request(sent)) << good;
    }
    for (const std::string_view bad : {std::string_view{too_long}, std::string_view{"a b"}}) {
        sent.producer_group = bad;
        EXPECT_EQ(code_of(message_intake::check_request(sent)), response_code::message_illegal) << bad;
    }
}

// --- batches
// ----------------------------------------------------------------------------------------------------------

TEST(message_intake, T12_a_batch_is_known_by_its_switch_and_stored_in_one_queue) {
    const auto body = batch_of({{1, as_bytes("a"), "TAGS\x01x\x02WAIT\x01true"}, {2, as_bytes("bb"), ""}});
    auto sent = request(body, "ignored\x01properties");
    sent.is_batch = true;
    const auto stored = take(sent);
    ASSERT_FALSE(stored.refused);
    EXPECT_EQ(stored.send.messages, 2U);
    ASSERT_EQ(stored.places.size(), 2U);
    EXPECT_EQ(as_text(stored.message(0).body), "a");
    EXPECT_EQ(stored.message(0).flag, 1);
    EXPECT_EQ(stored.message(0).properties, "TAGS\x01x\x02"
                                            "CLUSTER\x01"
                                            "C\x02");
    EXPECT_EQ(as_text(stored.message(1).body), "bb");
    EXPECT_EQ(stored.message(1).properties, "CLUSTER\x01"
                                            "C\x02")
        << "each record's own only";
    EXPECT_EQ(stored.message(0).queue_id, 1);
    EXPECT_EQ(stored.message(1).queue_id, 1);
    sent.is_batch = false;
    EXPECT_EQ(as_text(take(sent).message().body), body) << "without the switch it is a body like any other";
}

TEST(message_intake, T19_a_batch_is_taken_whole_or_not_at_all) {
    const std::string too_many(32767, 'v');
    const auto bad_property = batch_of({{0, as_bytes("a"), ""},
                                        {0, as_bytes("b"),
                                         "DELAY\x01"
                                         "2"}});
    const auto bad_size = batch_of({{0, as_bytes("a"), ""}, {0, as_bytes("b"), too_many}});
    auto large = settings();
    large.max_message_bytes = large.max_entry_bytes = 1U << 20U;
    for (const auto& [body, code] :
         {std::pair{bad_property, response_code::message_illegal},
          std::pair{bad_size, response_code::message_illegal},
          std::pair{bad_property.substr(0, bad_property.size() - 1), response_code::message_illegal},
          std::pair{bad_property + "x", response_code::message_illegal},
          std::pair{std::string{}, response_code::message_illegal}}) {
        auto sent = request(body);
        sent.is_batch = true;
        const auto outcome = take(sent, topic(), 0, large);
        EXPECT_EQ(code_of(outcome.refused), code);
        EXPECT_TRUE(outcome.draft.empty());
        EXPECT_TRUE(outcome.places.empty());
    }
}

TEST(message_intake, a_batch_must_fit_into_one_entry_with_all_that_is_added) {
    std::vector<protocol::batch_message> many(40, protocol::batch_message{0, as_bytes("x"), ""});
    const auto body = batch_of(many);
    ASSERT_LE(body.size(), settings().max_message_bytes);
    auto sent = request(body);
    sent.is_batch = true;
    EXPECT_FALSE(take(sent).refused);
    auto small = settings();
    small.max_entry_bytes = 4096;
    EXPECT_EQ(code_of(take(sent, topic(), 0, small).refused), response_code::message_illegal);
}

// The room a session plans with covers what a send really takes.
TEST(message_intake, the_room_for_a_send_is_an_upper_bound) {
    const message_intake intake{settings()};
    for (const std::size_t size : {0U, 1U, 7U, 8U, 500U, 1000U}) {
        const std::string body(size, 'b');
        const auto stored = take(request(body, "KEYS\x01k"));
        ASSERT_FALSE(stored.refused);
        EXPECT_LE(stored.draft.size() - storage::entry_header_size,
                  intake.room_for(size + "KEYS\x01k"s.size()) + topic().name.size() + command_alignment);
    }
}

} // namespace
} // namespace holdfast::broker
