// consumer_group with its sessions and the admin actor: resets and copies of offsets.
#include "tests/actors/group_fixture.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;
using testing::code_of;
using testing::consumer_groups;
using testing::incoming;

TEST_F(consumer_groups, a_reset_is_durable_when_it_is_answered_and_stays_until_the_consumer_has_followed) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 8);
    const auto tool = connect();
    ask_admin(tool, incoming{}.add(9, reset_queue(0, 3)));
    EXPECT_TRUE(tool->sent().empty());
    EXPECT_EQ(query(0).number("offset"), 3) << "who asks now is on the safe side";
    deliver(a.session, incoming{}.add(3, protocol::update_consumer_offset_request{
                                             "workers", "T", queue_number{0}, queue_offset{9}}));
    flush_all();
    const auto answer = tool->only();
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(table_of(answer), (std::map<std::int32_t, std::int64_t>{{0, 3}}));
    EXPECT_EQ(stored(), 3);
    a.connection->sent();
    commit(a, 9);
    EXPECT_EQ(stored(), 3) << "it has not heard yet";
    const auto moved = pull(a, 9);
    EXPECT_EQ(moved.code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(moved.number("nextBeginOffset"), 3);
    commit(a, 9);
    EXPECT_EQ(stored(), 3) << "still on its way";
    EXPECT_EQ(pull(a, 3).code, 0);
    commit(a, 4);
    EXPECT_EQ(stored(), 4);
}

TEST_F(consumer_groups, a_reset_wakes_held_pulls_and_tells_every_member) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b", protocol::language::cpp);
    a.connection->sent();
    hold_pull(a, 10, 77);
    EXPECT_TRUE(a.connection->sent().empty());
    ask_operator(reset_queue(0, 3));
    const auto told = a.connection->sent();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].code, 220);
    EXPECT_TRUE(told[0].oneway);
    EXPECT_EQ(told[0].fields.at("group"), "workers");
    EXPECT_EQ(told[0].body, R"({"offsetTable":{{"brokerName":")" + config.broker_name +
                                R"(","queueId":0,"topic":"T"}:3}})");
    EXPECT_EQ(told[1].opaque, 77);
    EXPECT_EQ(told[1].code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(told[1].number("nextBeginOffset"), 3);
    EXPECT_EQ(b.connection->only().body, R"({"offsetTable":[{"brokerName":")" + config.broker_name +
                                             R"(","offset":3,"queueId":0,"topic":"T"}]})")
        << "the form that C++ clients read";
    EXPECT_EQ(pull(a, 3).code, 0);
    advance(30s);
    EXPECT_TRUE(a.connection->sent().empty()) << "the held pull was answered once";
}

TEST_F(consumer_groups, whoever_pulls_next_is_moved_wherever_it_stands) {
    set_up_topic(10);
    const auto a = join("a");
    const auto b = join("b");
    pull(a, 0);
    ask_operator(reset_queue(0, 3));
    a.connection->sent();
    b.connection->sent();
    EXPECT_EQ(pull(a, 8).code, code_of(response_code::pull_offset_moved));
    EXPECT_EQ(pull(b, 9).code, code_of(response_code::pull_offset_moved)) << "it has not heard of it either";
    EXPECT_EQ(pull(b, 3).code, 0);
    const auto tool = stranger();
    EXPECT_EQ(pull(tool, 9).code, 0);
}

TEST_F(consumer_groups, a_reset_by_time_asks_the_reader_and_goes_only_back_unless_forced) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 5);
    offset_at = [](timestamp_ms time) { return time.value() / 100; };
    EXPECT_EQ(table_of(ask_operator(reset_to(700, false))).at(0), 5);
    EXPECT_EQ(stored(), 5);
    EXPECT_EQ(table_of(ask_operator(reset_to(700, true))).at(0), 7);
    EXPECT_EQ(stored(), 7);
    EXPECT_EQ(table_of(ask_operator(reset_to(200, false))),
              (std::map<std::int32_t, std::int64_t>{{0, 2}, {1, 2}, {2, 2}, {3, 2}}))
        << "queues without an offset get one";
    EXPECT_EQ(table_of(ask_operator(reset_to(-1))).at(0), 10) << "the latest";
    EXPECT_EQ(stored(), 10);
}

TEST_F(consumer_groups, a_reset_that_makes_no_sense_is_refused) {
    set_up_topic(10);
    join("a");
    auto request = reset_queue(0, 3);
    request.topic = "unknown";
    EXPECT_EQ(ask_operator(request).code, code_of(response_code::topic_not_exist));
    request = reset_queue(0, 3);
    request.group = "unknown";
    EXPECT_EQ(ask_operator(request).code, code_of(response_code::subscription_group_not_exist));
    EXPECT_EQ(ask_operator(reset_queue(4, 0)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(-1, 3)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(0, 11)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_operator(reset_queue(0, 10)).code, 0);
}

TEST_F(consumer_groups, a_reset_whose_fate_is_unknown_is_not_answered) {
    set_up_topic(10);
    const auto a = join("a");
    const auto tool = connect();
    ask_admin(tool, incoming{}.add(9, reset_queue(0, 3)));
    fail_flush();
    EXPECT_TRUE(tool->sent().empty());
    EXPECT_TRUE(tool->closed) << "whether it is reset is not known";
    EXPECT_EQ(stored(), -1);
    EXPECT_TRUE(a.connection->sent().empty()) << "nobody is told";
}

TEST_F(consumer_groups, offsets_are_copied_to_another_group) {
    set_up_topic(10);
    const auto a = join("a");
    pull(a, 0);
    commit(a, 5);
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"workers", "others", "T"}).code, 0);
    EXPECT_EQ(view->offset("others", queue_of("T")), queue_offset{5});
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"nobody", "others", ""}).code,
              code_of(response_code::subscription_group_not_exist));
    EXPECT_EQ(ask_operator(protocol::clone_group_offset_request{"workers", "others", "unknown"}).code,
              code_of(response_code::topic_not_exist));
    EXPECT_EQ(ask_operator(protocol::bare_request<protocol::request_code::get_all_consumer_offset>{}).body,
              R"({"offsetTable":{"T@others":{0:5},"T@workers":{0:5}}})");
}

} // namespace
} // namespace holdfast::actors
