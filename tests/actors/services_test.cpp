// Consumer groups, the name service and the administration.
#include "actors/limits.hpp"
#include "actors/scheduler.hpp"
#include "tests/actors/fixture.hpp"

#include "protocol/admin_bodies.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/route.hpp"

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;
using testing::fake_connection_ptr;
using testing::incoming;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

class groups_of_consumers : public testing::actor_fixture {
  protected:
    struct consumer_client {
        fake_connection_ptr connection;
        consumer_session_actor session;
    };
    consumer_client make_member() {
        const auto connection = connect();
        return {connection, consumer(connection)};
    }
    void heart_beat(const consumer_client& who, const std::string& group, const std::string& client,
                    const std::string& topic = "T", std::int64_t version = 1) {
        protocol::heartbeat beat;
        beat.client_id = client;
        protocol::consumer_data data;
        data.group = group;
        protocol::subscription_data subscription;
        subscription.topic = topic;
        subscription.version = version;
        data.subscriptions.push_back(subscription);
        beat.consumers.push_back(data);
        deliver(who.session,
                incoming{}.add(1, protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)));
    }
    // A member whose group is durable already.
    consumer_client join(const std::string& group, const std::string& client) {
        const auto made = make_member();
        heart_beat(made, group, client);
        flush_all();
        made.connection->sent();
        return made;
    }
    static std::size_t notices(const consumer_client& who) {
        std::size_t count = 0;
        for (const auto& frame : who.connection->sent())
            if (frame.is_request && frame.code == 40) {
                EXPECT_TRUE(frame.oneway);
                EXPECT_EQ(frame.fields.at("consumerGroup"), "workers");
                ++count;
            }
        return count;
    }
};

TEST_F(groups_of_consumers, T14_a_heartbeat_is_answered_when_group_and_retry_topic_are_durable) {
    lead();
    const auto member = make_member();
    heart_beat(member, "workers", "c1");
    for (const auto& frame : member.connection->sent())
        EXPECT_TRUE(frame.is_request) << "no answer yet";
    EXPECT_FALSE(view->find_group("workers"));
    flush_all();
    EXPECT_EQ(member.connection->only().code, 0);
    ASSERT_TRUE(view->find_group("workers"));
    const auto retry = view->find_topic("%RETRY%workers");
    ASSERT_TRUE(retry);
    EXPECT_EQ(retry->write_queues, 1U);
    heart_beat(member, "workers", "c1");
    EXPECT_EQ(member.connection->only().code, 0) << "the second one at once";
    EXPECT_TRUE(disk->flushes.empty());
}

TEST_F(groups_of_consumers, members_that_come_at_once_wait_for_the_same_entry) {
    lead();
    const auto first = make_member();
    const auto second = make_member();
    heart_beat(first, "workers", "c1");
    heart_beat(second, "workers", "c2");
    flush_all();
    EXPECT_EQ(logged(broker::command_kind::group_create).size(), 1U);
    EXPECT_EQ(second.connection->sent().back().code, 0);
    EXPECT_FALSE(first.connection->sent().empty());
}

TEST_F(groups_of_consumers, a_heartbeat_is_answered_with_an_error_when_the_disk_fails) {
    lead();
    const auto member = make_member();
    heart_beat(member, "workers", "c1");
    fail_flush();
    EXPECT_EQ(member.connection->sent().back().code, code_of(response_code::system_error));
}

// The first heartbeat of a group makes it with defaults, and must not undo what an operator sets meanwhile.
TEST_F(groups_of_consumers, a_group_configured_by_an_operator_at_once_keeps_its_configuration) {
    lead();
    const auto operator_connection = connect();
    protocol::group_config config_of_operator;
    config_of_operator.name = "workers";
    config_of_operator.consume_enable = false;
    const auto body = protocol::encode_group_config(config_of_operator);
    ask_admin(operator_connection, incoming{}.add(1, protocol::update_subscription_group_request{}, body));
    heart_beat(make_member(), "workers", "c1");
    flush_all();
    EXPECT_EQ(operator_connection->only().code, 0);
    EXPECT_FALSE(view->find_group("workers")->consume_enable);
}

TEST_F(groups_of_consumers, who_joins_or_leaves_makes_every_member_rebalance) {
    lead();
    const auto first = join("workers", "c1");
    const auto second = join("workers", "c2");
    EXPECT_EQ(notices(first), 1U);
    heart_beat(second, "workers", "c2");
    EXPECT_EQ(notices(first), 0U) << "nothing changed";
    deliver(second.session, incoming{}.add(2, protocol::unregister_client_request{"c2", "", "workers"}));
    EXPECT_EQ(notices(first), 1U);
    ASSERT_TRUE(groups.find("workers"));
    EXPECT_EQ(groups.find("workers")->members.size(), 1U);
}

TEST_F(groups_of_consumers, T15_a_closed_connection_leaves_all_its_groups_at_once) {
    lead();
    const auto first = join("workers", "c1");
    const auto second = join("workers", "c2");
    heart_beat(second, "others", "c2");
    flush_all();
    notices(first);
    caf::anon_send(second.session, closed_atom::value);
    settle();
    EXPECT_EQ(notices(first), 1U);
    EXPECT_EQ(groups.find("workers")->members.size(), 1U);
    EXPECT_FALSE(groups.find("others")) << "the last one left";
}

TEST_F(groups_of_consumers, a_silent_member_is_forgotten_after_120_seconds) {
    lead();
    const auto silent = join("workers", "c1");
    const auto lively = join("workers", "c2");
    notices(lively);
    for (int beats = 0; beats < 3; ++beats) {
        advance(30s);
        flush_all();
        heart_beat(lively, "workers", "c2");
    }
    EXPECT_EQ(groups.find("workers")->members.size(), 2U);
    notices(lively);
    advance(45s);
    flush_all();
    ASSERT_EQ(groups.find("workers")->members.size(), 1U);
    EXPECT_EQ(groups.find("workers")->members[0].client_id, "c2");
    EXPECT_EQ(notices(lively), 1U);
}

TEST_F(groups_of_consumers, the_members_are_listed_one_a_connection) {
    lead();
    const auto first = join("workers", "same");
    join("workers", "same");
    first.connection->sent();
    deliver(first.session, incoming{}
                               .add(1, protocol::get_consumer_list_request{"workers"})
                               .add(2, protocol::get_consumer_list_request{"nobody"}));
    const auto answers = first.connection->sent();
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(protocol::decode_consumer_ids(as_bytes(answers[0].body))->size(), 2U);
    EXPECT_EQ(answers[1].code, code_of(response_code::system_error));
}

// Lists of members name it to whoever asks.
TEST_F(groups_of_consumers, a_client_id_has_a_sensible_length) {
    lead();
    const auto member = make_member();
    heart_beat(member, "workers", std::string(256, 'c'));
    flush_all();
    const auto refused = member.connection->only();
    EXPECT_EQ(refused.code, code_of(response_code::system_error));
    EXPECT_NE(refused.remark.find("1 to 255 bytes, not 256"), std::string::npos) << refused.remark;
    EXPECT_FALSE(groups.find("workers"));
    EXPECT_FALSE(view->find_group("workers"));
    heart_beat(member, "workers", std::string(255, 'c'));
    flush_all();
    EXPECT_EQ(member.connection->sent().back().code, 0);
    ASSERT_TRUE(groups.find("workers"));
}

TEST_F(groups_of_consumers, a_pull_uses_the_subscription_that_was_registered) {
    lead();
    make_topic("T");
    const auto member = join("workers", "c1");
    auto pull = testing::pull_of("T", 0);
    pull.sys_flag = 0;
    pull.subscription_version = 2;
    deliver(member.session, incoming{}.add(1, pull));
    EXPECT_EQ(member.connection->only().code, code_of(response_code::subscription_not_latest));
    heart_beat(member, "workers", "c1", "T", 2);
    member.connection->sent();
    deliver(member.session, incoming{}.add(1, pull));
    EXPECT_EQ(member.connection->only().code, code_of(response_code::pull_not_found));
    pull.consumer_group = "strangers";
    deliver(member.session, incoming{}.add(1, pull));
    EXPECT_EQ(member.connection->only().code, code_of(response_code::subscription_not_exist));
}

// While one commit is on its way to the disk the others gather; each is answered by its own entry's flush.
TEST_F(groups_of_consumers, commits_that_come_during_a_flush_are_written_together) {
    lead();
    make_topic("T");
    const auto member = make_member();
    for (std::int32_t i = 1; i <= 4; ++i)
        deliver(member.session, incoming{}.add(i, protocol::update_consumer_offset_request{
                                                      "workers", "T", queue_number{0}, queue_offset{i}}));
    flush();
    EXPECT_EQ(member.connection->only().opaque, 1);
    flush();
    EXPECT_EQ(member.connection->sent().size(), 3U);
    EXPECT_EQ(logged(broker::command_kind::offsets_commit).size(), 2U);
    EXPECT_EQ(view->offset("workers", queue_of("T")), queue_offset{4});
}

// --- name service
// -----------------------------------------------------------------------------------------------------

class services : public testing::actor_fixture {
  protected:
    testing::sent_frame route(std::string_view topic) {
        const auto connection = connect();
        ask_name_service(connection, incoming{}.add(1, protocol::get_route_info_request{topic}));
        return connection->only();
    }
    static protocol::update_topic_request topic(std::string_view name, std::int32_t queues = 4) {
        protocol::update_topic_request request;
        request.topic = name;
        request.default_topic = protocol::auto_create_topic;
        request.read_queue_count = request.write_queue_count = queues;
        return request;
    }
    template <class Request>
    testing::sent_frame ask(const Request& request, std::string_view body = {}) {
        const auto connection = connect();
        ask_admin(connection, incoming{}.add(1, request, body));
        flush_all();
        return connection->only();
    }
};

TEST_F(services, T10_a_route_names_this_broker_and_has_no_whitespace) {
    lead();
    make_topic("T", 3);
    const auto answer = route("T");
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.body.find_first_of(" \n\t"), std::string::npos);
    const auto decoded = protocol::decode_route(as_bytes(answer.body));
    ASSERT_TRUE(decoded.ok());
    ASSERT_EQ(decoded->queues.size(), 1U);
    EXPECT_EQ(decoded->queues[0].write_queue_count, 3);
    EXPECT_EQ(decoded->queues[0].permission, 6);
    ASSERT_EQ(decoded->brokers.size(), 1U);
    EXPECT_EQ(decoded->brokers[0].addresses.at(0), "127.0.0.1:10911");
}

TEST_F(services, a_topic_without_route_is_17_and_the_template_has_one_while_topics_are_made_by_sends) {
    lead();
    EXPECT_EQ(route("unknown").code, code_of(response_code::topic_not_exist));
    EXPECT_EQ(route("TBW102").code, 0);
    config.auto_create_topics = false;
    EXPECT_EQ(route("TBW102").code, code_of(response_code::topic_not_exist));
}

TEST_F(services, a_broker_that_may_not_be_written_says_so_in_its_routes) {
    config.broker_permission = broker::permission::read;
    lead();
    make_topic("T");
    EXPECT_EQ(protocol::decode_route(as_bytes(route("T").body))->queues.at(0).permission, 4);
}

TEST_F(services, the_cluster_is_this_broker) {
    lead();
    const auto connection = connect();
    ask_name_service(connection, incoming{}.add(1, protocol::get_cluster_info_request{}));
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, 0);
    EXPECT_NE(answer.body.find("127.0.0.1:10911"), std::string::npos);
    EXPECT_NE(answer.body.find("broker-a"), std::string::npos);
}

// --- administration
// ---------------------------------------------------------------------------------------------------

TEST_F(services, a_topic_is_answered_when_it_is_durable) {
    lead();
    const auto connection = connect();
    ask_admin(connection, incoming{}.add(1, topic("new", 7)));
    EXPECT_TRUE(connection->sent().empty());
    EXPECT_EQ(route("new").code, code_of(response_code::topic_not_exist));
    flush_all();
    EXPECT_EQ(connection->only().code, 0);
    EXPECT_EQ(view->find_topic("new")->read_queues, 7U);
    EXPECT_EQ(ask(protocol::delete_topic_request{"new"}).code, 0);
    EXPECT_FALSE(view->find_topic("new"));
}

TEST_F(services, a_change_whose_fate_is_unknown_is_not_answered) {
    lead();
    const auto connection = connect();
    ask_admin(connection, incoming{}.add(1, topic("new")).add(2, topic("quiet"), "", true));
    fail_flush();
    EXPECT_TRUE(connection->sent().empty());
    EXPECT_TRUE(connection->closed) << "it may be made";
}

TEST_F(services, impossible_topics_are_refused) {
    lead();
    auto without_queues = topic("T");
    without_queues.write_queue_count = 0;
    auto strange_permission = topic("T");
    strange_permission.permission = 64;
    for (const auto& request :
         {topic("bad name"), topic(""), topic("T", 65537), topic("T", -1), without_queues, strange_permission,
          topic("RMQ_SYS_TRANS_HALF_TOPIC"), topic("DefaultCluster"), topic("broker-a")}) {
        const auto answer = ask(request);
        EXPECT_EQ(answer.code, code_of(response_code::system_error)) << request.topic;
        EXPECT_FALSE(answer.remark.empty());
    }
    EXPECT_TRUE(logged(broker::command_kind::topic_put).empty());
}

TEST_F(services, a_filter_type_that_is_none_is_refused) {
    lead();
    auto request = topic("T");
    for (const std::string_view good : {"SINGLE_TAG", "MULTI_TAG", ""}) {
        request.filter_type = good;
        EXPECT_EQ(ask(request).code, 0) << good;
        EXPECT_EQ(view->find_topic("T")->multi_tags, good == "MULTI_TAG");
    }
    request.filter_type = "MULTI_TAGS";
    const auto refused = ask(request);
    EXPECT_EQ(refused.code, code_of(response_code::system_error));
    EXPECT_NE(refused.remark.find("SINGLE_TAG or MULTI_TAG"), std::string::npos);
}

// Whoever wants one more: an operator, a heartbeat or a send.
TEST_F(groups_of_consumers, topics_and_groups_have_a_limit) {
    lead();
    make_topic("T");
    make_group("workers");
    environment->max_topics = 1;
    environment->max_groups = 1;
    const auto tool = connect();
    const auto refused = [&](incoming frames) {
        ask_admin(tool, std::move(frames));
        flush_all();
        const auto answer = tool->only();
        EXPECT_EQ(answer.code == 0, answer.remark.empty());
        return answer.remark.find("limit of 1 ") != std::string::npos;
    };
    protocol::update_topic_request topic;
    topic.default_topic = protocol::auto_create_topic;
    topic.read_queue_count = topic.write_queue_count = 8;
    topic.topic = "T";
    EXPECT_FALSE(refused(incoming{}.add(1, topic))) << "it is there";
    topic.topic = "U";
    EXPECT_TRUE(refused(incoming{}.add(1, topic)));
    protocol::group_config group;
    group.name = "workers";
    const auto put = protocol::update_subscription_group_request{};
    EXPECT_FALSE(refused(incoming{}.add(1, put, protocol::encode_group_config(group))));
    group.name = "others";
    EXPECT_TRUE(refused(incoming{}.add(1, put, protocol::encode_group_config(group))));
    const auto sending = connect();
    deliver(producer(sending), incoming{}.send(1, "U", "x").send(2, "T", "x"));
    flush_all();
    const auto answers = sending->sent();
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_NE(answers[0].remark.find("limit of 1 topics"), std::string::npos) << answers[0].remark;
    EXPECT_EQ(answers[1].code, 0);
    const auto member = make_member();
    heart_beat(member, "others", "c1");
    flush_all();
    EXPECT_NE(member.connection->only().remark.find("limit of 1 groups"), std::string::npos);
    heart_beat(member, "workers", "c1"); // lacks its retry topic
    flush_all();
    EXPECT_NE(member.connection->only().remark.find("limit of 1 topics"), std::string::npos);
    environment->max_topics = 2;
    heart_beat(member, "workers", "c1");
    flush_all();
    EXPECT_EQ(member.connection->sent().back().code, 0);
}

TEST_F(services, groups_are_made_listed_and_deleted) {
    lead();
    protocol::group_config group;
    group.name = "workers";
    group.retry_max_times = 3;
    EXPECT_EQ(ask(protocol::update_subscription_group_request{}, protocol::encode_group_config(group)).code,
              0);
    EXPECT_EQ(view->find_group("workers")->retry_max_times, 3U);
    const auto listed = ask(protocol::get_all_subscription_groups_request{});
    EXPECT_NE(listed.body.find("workers"), std::string::npos);
    EXPECT_EQ(ask(protocol::delete_subscription_group_request{"workers"}).code, 0);
    EXPECT_FALSE(view->find_group("workers"));
    EXPECT_EQ(ask(protocol::delete_subscription_group_request{"no such name"}).code,
              code_of(response_code::system_error));
}

TEST_F(services, topics_are_listed_with_their_bounds) {
    lead();
    make_topic("T", 2);
    EXPECT_NE(ask(protocol::get_all_topic_config_request{}).body.find("\"T\""), std::string::npos);
    const auto stats = ask(protocol::get_topic_stats_request{"T"});
    EXPECT_EQ(stats.code, 0);
    EXPECT_NE(stats.body.find("maxOffset"), std::string::npos);
    EXPECT_EQ(ask(protocol::get_topic_stats_request{"unknown"}).code,
              code_of(response_code::topic_not_exist));
}

// Anybody can make so many topics and offsets; the answer about them must not end the broker.
TEST_F(services, what_no_answer_can_hold_is_refused_with_the_way_out) {
    lead();
    const std::string long_name(protocol::limits::max_topic_bytes - 1, 't');
    const std::vector<std::string> topics{long_name + "1", long_name + "2"};
    const auto member = connect();
    const auto session = consumer(member);
    for (const auto& name : topics) {
        make_topic(name, protocol::limits::max_queue_count);
        deliver(session, incoming{}.add(1, protocol::update_consumer_offset_request{
                                               "workers", name, queue_number{0}, queue_offset{0}}));
        flush_all();
    }
    const auto all = ask(protocol::get_consume_stats_request{"workers", ""});
    EXPECT_EQ(all.code, code_of(response_code::system_error));
    EXPECT_NE(all.remark.find("too large"), std::string::npos) << all.remark;
    EXPECT_TRUE(all.body.empty());
    EXPECT_EQ(ask(protocol::get_consume_stats_request{"workers", topics[0]}).code, 0) << "less at once";
}

// One read can bring thousands of requests, and everybody shares these two services.
TEST_F(services, many_answers_to_one_read_do_not_pile_up) {
    lead();
    make_topic("T", 5'000);
    incoming routes;
    incoming stats;
    for (std::int32_t i = 1; i <= 10; ++i)
        stats.add(i, protocol::get_topic_stats_request{"T"});
    for (std::int32_t i = 1; i <= 10'000; ++i)
        routes.add(i, protocol::get_route_info_request{"T"});
    const auto names = connect();
    ask_name_service(names, routes);
    EXPECT_EQ(names->sent().size(), 10'000U);
    EXPECT_LT(names->largest_send, 2 * limits::answer_chunk_bytes);
    const auto tool = connect();
    ask_admin(tool, stats);
    EXPECT_EQ(tool->sent().size(), 10U);
    EXPECT_LT(tool->largest_send, 2 * limits::answer_chunk_bytes);
    for (const auto& who : {names, tool}) {
        EXPECT_FALSE(who->closed);
        who->unwritten = limits::max_unread_answer_bytes + 1;
    }
    ask_name_service(names, routes);
    ask_admin(tool, stats);
    for (const auto& who : {names, tool}) {
        EXPECT_TRUE(who->sent().empty());
        EXPECT_TRUE(who->closed) << "it does not read";
    }
    EXPECT_EQ(route("T").code, 0) << "others are served";
    EXPECT_EQ(ask(protocol::get_topic_stats_request{"T"}).code, 0);
}

TEST_F(services, codes_that_nobody_knows_are_answered_with_3_and_their_number) {
    lead();
    const auto answer = ask(protocol::lock_batch_request{});
    EXPECT_EQ(answer.code, code_of(response_code::request_code_not_supported));
    EXPECT_EQ(answer.remark, " request type 41 not supported");
}

TEST(give_back_rule, waits_for_ten_seconds_without_sends_and_reads_and_then_for_a_minute) {
    give_back_rule rule;
    std::uint64_t written = 0;
    std::uint64_t got = 0;
    const auto passes = [&](unsigned scans) {
        unsigned times = 0;
        for (unsigned i = 0; i < scans; ++i)
            times += rule.is_time(log_position{written}, got) ? 1U : 0U;
        return times;
    };
    EXPECT_EQ(passes(100), 0U) << "there was nothing yet";
    written += 8U << 20U;
    EXPECT_EQ(passes(10), 0U);
    EXPECT_EQ(passes(1), 1U);
    EXPECT_EQ(passes(200), 0U) << "once";
    for (int second = 0; second < 100; ++second) {
        ++got;
        EXPECT_EQ(passes(1), 0U);
    }
    EXPECT_EQ(passes(9), 0U);
    EXPECT_EQ(passes(1), 1U);
    ++got;
    EXPECT_EQ(passes(59), 0U) << "so soon again";
    EXPECT_EQ(passes(1), 1U);
}

TEST(retention, ends_before_the_first_segment_that_is_young_or_still_written) {
    const timestamp_ms now{1'000 * 3'600'000LL};
    const auto hours_ago = [&](std::int64_t hours) { return now - hours * 3'600'000; };
    const storage::segment_info old{log_position{0}, log_position{100}, hours_ago(80)};
    const storage::segment_info older_than_its_follower{log_position{100}, log_position{200}, hours_ago(73)};
    const storage::segment_info young{log_position{200}, log_position{300}, hours_ago(71)};
    const storage::segment_info old_behind_young{log_position{300}, log_position{400}, hours_ago(90)};
    const storage::segment_info written{log_position{400}, log_position{500}, std::nullopt};
    const std::chrono::hours kept{72};
    EXPECT_EQ(expired_until({old, older_than_its_follower, young, old_behind_young, written}, now, kept),
              log_position{200});
    EXPECT_EQ(expired_until({young, written}, now, kept), std::nullopt);
    EXPECT_EQ(expired_until({old, written}, now, kept), log_position{100});
    EXPECT_EQ(expired_until({written}, now, kept), std::nullopt);
}

} // namespace
} // namespace holdfast::actors
