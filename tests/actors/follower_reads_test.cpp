// Reads from followers (slaveReadEnable): which node is named, when, and what a follower answers.
#include "actors/follower_answers.hpp"
#include "actors/limits.hpp"
#include "actors/read_replicas.hpp"
#include "actors/reader.hpp"
#include "tests/actors/fixture.hpp"

#include "protocol/route.hpp"

#include <gmock/gmock.h>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using protocol::response_code;
using ::testing::ElementsAre;
using testing::incoming;
using ::testing::Pair;
using testing::pull_of;

constexpr auto code_of(response_code code) {
    return static_cast<std::int32_t>(code);
}

// --- which nodes
// ------------------------------------------------------------------------------------------------------

config::node_config config_of_b() {
    config::node_config config;
    config.node_name = "b";
    config.peers = {{"c", "10.0.0.3", 1}, {"a", "10.0.0.1", 1}};
    config.follower_reads = true;
    config.entry_cache_bytes = 1'000;
    return config;
}

// b follows a; c is there too.
void fill(cluster_view& cluster) {
    cluster.found("a", {"a:1", true});
    cluster.found("b", {"b:1", true});
    cluster.found("c", {"c:1", true});
    cluster_standing standing;
    standing.leader = "a";
    cluster.publish(std::move(standing));
}

TEST(read_replicas, the_leader_is_0_and_followers_keep_their_ids_whoever_leads) {
    const auto config = config_of_b();
    cluster_view cluster;
    fill(cluster);
    EXPECT_THAT(broker_addresses(config, cluster),
                ElementsAre(Pair(0, "a:1"), Pair(2, "b:1"), Pair(3, "c:1")));
    auto standing = cluster.now();
    standing.leader = "c";
    cluster.publish(standing);
    EXPECT_THAT(broker_addresses(config, cluster),
                ElementsAre(Pair(0, "c:1"), Pair(1, "a:1"), Pair(2, "b:1")));
    standing.leader.clear();
    cluster.publish(standing);
    EXPECT_THAT(broker_addresses(config, cluster),
                ElementsAre(Pair(1, "a:1"), Pair(2, "b:1"), Pair(3, "c:1")));
    EXPECT_EQ(follower_id(config, "stranger"), 0);
}

TEST(read_replicas, followers_that_are_gone_or_serve_no_reads_are_not_named_and_ids_stay) {
    auto config = config_of_b();
    cluster_view cluster;
    fill(cluster);
    cluster.lost("c");
    EXPECT_THAT(broker_addresses(config, cluster), ElementsAre(Pair(0, "a:1"), Pair(2, "b:1")));
    cluster.found("c", {"c:1", false});
    EXPECT_THAT(broker_addresses(config, cluster), ElementsAre(Pair(0, "a:1"), Pair(2, "b:1")));
    cluster.found("c", {"c:2", true});
    EXPECT_THAT(broker_addresses(config, cluster),
                ElementsAre(Pair(0, "a:1"), Pair(2, "b:1"), Pair(3, "c:2")));
    config.follower_reads = false;
    cluster.found("c", {"c:2", false});
    EXPECT_THAT(broker_addresses(config, cluster),
                ElementsAre(Pair(0, "a:1"), Pair(2, "b:1"), Pair(3, "c:2")));
    cluster.lost("b");
    EXPECT_THAT(broker_addresses(config, cluster), ElementsAre(Pair(0, "a:1"), Pair(3, "c:2")))
        << "ids stay, as others may have heard them";
}

TEST(read_replicas, cold_is_what_the_cache_can_no_longer_hold) {
    const auto config = config_of_b();
    EXPECT_FALSE(is_cold(config, log_position{5'000}, log_position{4'000}));
    EXPECT_TRUE(is_cold(config, log_position{5'000}, log_position{3'999}));
    EXPECT_FALSE(is_cold(config, log_position{5'000}, log_position{6'000}));
}

TEST(read_replicas, a_leader_chooses_among_followers_that_surely_have_it) {
    const auto config = config_of_b();
    const std::map<std::string, group_node> nodes{{"a", {"a:1", true}}, {"c", {"c:1", true}}};
    cluster_standing standing;
    standing.followers["a"] = {log_position{200}, 0ms, true, true};
    standing.followers["c"] = {log_position{300}, 0ms, true, true};
    const auto chosen = [&](std::uint64_t needed, std::size_t spread) {
        return choose_reader(config, standing, nodes, log_position{needed}, spread);
    };
    EXPECT_EQ(chosen(100, 0), "a");
    EXPECT_EQ(chosen(100, 1), "c");
    EXPECT_EQ(chosen(100, 2), "a");
    EXPECT_EQ(chosen(200, 0), "c") << "a has it only up to there";
    EXPECT_EQ(chosen(300, 0), "");
    standing.followers["c"].silent_for = config.election_timeout;
    EXPECT_EQ(chosen(100, 1), "a");
    standing.followers["a"].is_member = false;
    EXPECT_EQ(chosen(100, 1), "");
    standing.followers["a"] = {log_position{200}, 0ms, false, true};
    EXPECT_EQ(chosen(100, 1), "");
    standing.followers["c"].silent_for = 0ms;
    EXPECT_EQ(choose_reader(config, standing, {{"c", {"c:1", false}}}, log_position{100}, 0), "");
    EXPECT_EQ(choose_reader(config, standing, {{"c", {"c:1", true, false, false}}}, log_position{100}, 0),
              "");
    EXPECT_EQ(chosen(100, 0), "c");
}

TEST(follower_stays, end_after_a_while_and_may_begin_again) {
    follower_stays stays{5s, 2};
    const auto may_stay = [&](std::uint32_t queue, std::chrono::milliseconds now) {
        return stays.pulled("g", "T", queue_number{queue}, now).may_stay;
    };
    EXPECT_TRUE(may_stay(0, 1s));
    EXPECT_TRUE(may_stay(0, 5'999ms));
    EXPECT_TRUE(may_stay(1, 5'999ms)) << "each queue for itself";
    EXPECT_FALSE(may_stay(0, 6s));
    EXPECT_TRUE(may_stay(0, 6'001ms));
    EXPECT_FALSE(may_stay(0, 11'001ms));
}

TEST(follower_stays, remember_a_bounded_number_of_queues_and_no_endless_names) {
    follower_stays stays{5s, 2};
    const auto may_stay = [&](std::uint32_t queue, std::chrono::milliseconds now) {
        return stays.pulled("g", "T", queue_number{queue}, now).may_stay;
    };
    EXPECT_TRUE(may_stay(0, 0s));
    EXPECT_TRUE(may_stay(1, 3s));
    EXPECT_FALSE(may_stay(2, 4s));
    EXPECT_FALSE(may_stay(2, 4'999ms));
    EXPECT_TRUE(may_stay(2, 5s)) << "the oldest was forgotten";
    EXPECT_TRUE(may_stay(1, 6s));
    EXPECT_FALSE(may_stay(0, 7'500ms)) << "1 and 2 are remembered";
    EXPECT_FALSE(may_stay(0, 8s)) << "1 could go, but so soon nobody looks again";
    EXPECT_TRUE(may_stay(0, 8'500ms));
    const std::string endless(256, 'n');
    follower_stays others{5s, 2};
    EXPECT_FALSE(others.pulled(endless, "T", queue_number{0}, 0s).may_stay);
    EXPECT_FALSE(others.pulled("g", endless, queue_number{0}, 0s).may_stay);
}

TEST(follower_stays, know_who_comes_back_with_what_it_was_sent_away_with) {
    follower_stays stays{5s, 2};
    const auto sent = [&](std::chrono::milliseconds now) {
        return stays.pulled("g", "T", queue_number{0}, now).sent;
    };
    EXPECT_FALSE(sent(0s)->was_within(1s, queue_offset{0}, 0s));
    sent(0s)->note(queue_offset{7}, 1s);
    EXPECT_TRUE(sent(1'500ms)->was_within(1s, queue_offset{7}, 1'500ms));
    EXPECT_FALSE(sent(1'500ms)->was_within(1s, queue_offset{8}, 1'500ms)) << "the leader had something";
    EXPECT_FALSE(sent(2s)->was_within(1s, queue_offset{7}, 2s));
    EXPECT_TRUE(sent(5s)->was_within(5s, queue_offset{7}, 5s)) << "the end of a stay changes nothing";
}

// --- what is answered
// -------------------------------------------------------------------------------------------------

// Node b: it leads alone to get its messages, and then is told that a leads.
class follower_reads : public testing::actor_fixture {
  protected:
    follower_reads() {
        const auto told = config_of_b();
        config.node_name = told.node_name;
        config.peers = told.peers;
        config.follower_reads = true;
        config.entry_cache_bytes = 0; // all is cold
    }
    // m0, m1, ... in queue 0; every other one has the tag "odd".
    void set_up_messages(int count) {
        lead();
        make_topic("T");
        const auto sending = connect();
        incoming frames;
        for (int i = 0; i < count; ++i)
            frames.send(i + 1, "T", "m" + std::to_string(i), 0, i % 2 == 0 ? "" : "TAGS\x01odd");
        deliver(producer(sending), frames);
        flush_all();
        environment->cluster = &cluster;
        environment->readers.front() =
            system().spawn(reader, std::shared_ptr<const session_environment>{environment});
        track(environment->readers.front());
    }
    void follow() {
        fill(cluster);
        health_of_node.set_leads(false);
    }
    void ask(incoming frames) {
        follower.answer(*frames.take());
        settle();
    }
    testing::sent_frame pull(const protocol::pull_message_request& request) {
        ask(incoming{}.add(7, request));
        return connection->only();
    }
    static protocol::pull_message_request held_pull(std::string_view topic, std::int64_t offset) {
        auto request = pull_of(topic, offset);
        request.sys_flag |= protocol::pull_flag::suspend;
        request.suspend_timeout_ms = 15'000;
        return request;
    }
    // Nothing, and the leader next, with the same offset.
    static void expect_sent_to_leader(const testing::sent_frame& answer, response_code code,
                                      std::int64_t offset) {
        EXPECT_EQ(answer.code, code_of(code)) << answer.remark;
        EXPECT_EQ(answer.opaque, 7);
        EXPECT_EQ(answer.number("suggestWhichBrokerId"), 0);
        EXPECT_EQ(answer.number("nextBeginOffset"), offset);
        EXPECT_TRUE(answer.body.empty());
    }
    void heart_beat(const std::string& expression, std::int64_t version = 5) {
        const protocol::heartbeat beat{
            "c1",
            {},
            {{.group = "workers",
              .subscriptions = {{.topic = "T", .expression = expression, .version = version}}}}};
        ask(incoming{}.add(1, protocol::heart_beat_request{}, protocol::encode_heartbeat(beat)));
        EXPECT_EQ(connection->only().code, 0);
    }

    cluster_view cluster;
    testing::fake_connection_ptr connection = connect();
    follower_answers follower{connection, environment};
};

TEST_F(follower_reads, a_follower_gives_messages_and_keeps_a_consumer_that_is_far_behind) {
    set_up_messages(4);
    follow();
    auto request = pull_of("T", 1);
    request.max_messages = 2;
    const auto answer = pull(request);
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(answer.number("suggestWhichBrokerId"), 2);
    EXPECT_EQ(answer.number("nextBeginOffset"), 3);
    EXPECT_EQ(answer.number("minOffset"), 0);
    EXPECT_EQ(answer.number("maxOffset"), 4);
    ASSERT_EQ(answer.messages().size(), 2U);
    EXPECT_EQ(as_text(answer.messages()[0].body), "m1");
    EXPECT_EQ(answer.messages()[1].offset, queue_offset{2});
    EXPECT_EQ(counters.messages_got, 2U);
    const auto last = pull(pull_of("T", 3));
    EXPECT_EQ(last.messages().size(), 1U);
    EXPECT_EQ(last.number("suggestWhichBrokerId"), 0) << "what comes next the leader has first";
}

TEST_F(follower_reads, who_has_nearly_caught_up_goes_on_at_the_leader) {
    config.entry_cache_bytes = 1U << 20U;
    set_up_messages(4);
    follow();
    const auto answer = pull(pull_of("T", 0));
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.messages().size(), 4U);
    EXPECT_EQ(answer.number("suggestWhichBrokerId"), 0);
}

TEST_F(follower_reads, filters_as_the_leader_does) {
    set_up_messages(4);
    follow();
    const auto odd = pull(pull_of("T", 0, "odd"));
    ASSERT_EQ(odd.messages().size(), 2U);
    EXPECT_EQ(as_text(odd.messages()[1].body), "m3");
    const auto none = pull(pull_of("T", 0, "nobody"));
    EXPECT_EQ(none.code, code_of(response_code::pull_retry_immediately));
    EXPECT_EQ(none.number("nextBeginOffset"), 4);
}

// Java's consumers do not repeat their subscription with each pull, and send heartbeats to followers too.
TEST_F(follower_reads, knows_subscriptions_from_the_heartbeats_of_the_same_connection) {
    set_up_messages(4);
    follow();
    auto request = pull_of("T", 0);
    request.sys_flag = 0;
    request.subscription = {};
    request.subscription_version = 5;
    expect_sent_to_leader(pull(request), response_code::pull_not_found, 0);
    heart_beat("odd");
    EXPECT_EQ(pull(request).messages().size(), 2U);
    request.subscription_version = 6;
    expect_sent_to_leader(pull(request), response_code::pull_not_found, 0);
    heart_beat("*", 6);
    EXPECT_EQ(pull(request).messages().size(), 4U);
    EXPECT_FALSE(groups.find("workers")) << "it is no member here";
    EXPECT_FALSE(view->find_group("workers"));
}

// Trap T2: what it does not know may be there all the same.
TEST_F(follower_reads, T2_what_a_follower_does_not_have_is_the_leaders_to_answer) {
    set_up_messages(2);
    follow();
    expect_sent_to_leader(pull(pull_of("T", 2)), response_code::pull_not_found, 2);
    expect_sent_to_leader(pull(pull_of("T", 50)), response_code::pull_not_found, 50);
    expect_sent_to_leader(pull(pull_of("T", -1)), response_code::pull_retry_immediately, -1);
    expect_sent_to_leader(pull(pull_of("new", 0)), response_code::pull_not_found, 0);
    auto unknown_queue = pull_of("T", 0);
    unknown_queue.queue = queue_number{77};
    expect_sent_to_leader(pull(unknown_queue), response_code::pull_not_found, 0);
    EXPECT_EQ(counters.messages_got, 0U);
}

// A stock consumer keeps the old route for up to 30 s when the leader has become a follower; and its first
// heartbeat on a new connection may come as late, so that nobody knows what it wants.
TEST_F(follower_reads, who_takes_this_node_for_the_leader_is_held) {
    set_up_messages(2);
    follow();
    auto at_end = held_pull("T", 2);
    auto not_known = at_end;
    not_known.sys_flag = protocol::pull_flag::suspend;
    not_known.subscription = {};
    for (const auto& request : {at_end, not_known}) {
        advance(2s);
        expect_sent_to_leader(pull(request), response_code::pull_not_found, 2); // its leader may be another
        advance(limits::leaderless_hold / 2);
        for (int round = 0; round < 2; ++round) {
            ask(incoming{}.add(7, request));
            EXPECT_TRUE(connection->sent().empty());
            advance(limits::leaderless_hold - 50ms);
            EXPECT_TRUE(connection->sent().empty());
            advance(100ms);
            expect_sent_to_leader(connection->only(), response_code::pull_not_found, 2);
        }
    }
}

TEST_F(follower_reads, whom_the_leader_gave_something_meanwhile_is_not_held) {
    set_up_messages(2);
    follow();
    expect_sent_to_leader(pull(held_pull("T", 2)), response_code::pull_not_found, 2);
    expect_sent_to_leader(pull(held_pull("T", 5)), response_code::pull_not_found, 5);
    expect_sent_to_leader(pull(held_pull("T", 9)), response_code::pull_not_found, 9);
    auto impatient = held_pull("T", 9);
    impatient.suspend_timeout_ms = 0;
    expect_sent_to_leader(pull(impatient), response_code::pull_not_found, 9);
}

TEST_F(follower_reads, a_pull_is_held_for_a_moment_while_nobody_leads) {
    set_up_messages(2);
    follow();
    cluster.publish({});
    ask(incoming{}.add(7, held_pull("T", 2)));
    EXPECT_TRUE(connection->sent().empty());
    advance(limits::leaderless_hold - 50ms);
    EXPECT_TRUE(connection->sent().empty());
    advance(100ms);
    expect_sent_to_leader(connection->only(), response_code::pull_not_found, 2);
    expect_sent_to_leader(pull(pull_of("T", 2)), response_code::pull_not_found, 2); // it may not be held
}

TEST_F(follower_reads, what_is_too_much_for_the_readers_is_the_leaders) {
    set_up_messages(2);
    follow();
    incoming flood;
    for (std::int32_t i = 1; i <= 100; ++i)
        flood.add(i, pull_of("T", 0));
    flood.add(101, protocol::query_message_request{});
    ask(flood);
    std::map<std::string, std::size_t> remarks;
    for (const auto& answer : connection->sent()) {
        ++remarks[answer.remark];
        if (answer.remark == "ASK_THE_MASTER") {
            EXPECT_EQ(answer.number("suggestWhichBrokerId"), 0);
            EXPECT_EQ(answer.number("nextBeginOffset"), 0);
        } else if (answer.opaque == 101) {
            EXPECT_EQ(answer.code, code_of(response_code::service_not_available));
            EXPECT_TRUE(answer.remark.starts_with("[REJECTREQUEST]")) << answer.remark;
        } else {
            EXPECT_EQ(answer.messages().size(), 2U);
        }
    }
    EXPECT_EQ(remarks["FOUND"], limits::max_reader_jobs);
    EXPECT_EQ(remarks["ASK_THE_MASTER"], 100 - limits::max_reader_jobs);
    EXPECT_EQ(pull(pull_of("T", 0)).code, 0) << "it is served again";
}

TEST_F(follower_reads, offsets_that_pulls_carry_are_not_stored) {
    set_up_messages(2);
    follow();
    auto request = pull_of("T", 0);
    request.sys_flag |= protocol::pull_flag::commit_offset;
    request.commit_offset = queue_offset{1};
    EXPECT_EQ(pull(request).code, 0);
    advance(5s);
    flush_all();
    EXPECT_FALSE(view->offset("workers", queue_of("T")));
}

TEST_F(follower_reads, everything_else_is_the_leaders) {
    set_up_messages(2);
    follow();
    ask(incoming{}.send(1, "T", "x"));
    EXPECT_EQ(connection->only().code, code_of(response_code::service_not_available));
    ask(incoming{}.add(
        2, protocol::update_consumer_offset_request{"workers", "T", queue_number{0}, queue_offset{1}}));
    EXPECT_EQ(connection->only().code, code_of(response_code::service_not_available));
    ask(incoming{}
            .add(3, protocol::unregister_client_request{"c1", "", "workers"})
            .add(4, protocol::query_consumer_offset_request{"workers", "T", queue_number{0}, {}})
            .add(5, pull_of("T", 0)));
    EXPECT_EQ(connection->only().opaque, 3) << "T1: nothing is said of offsets";
    EXPECT_TRUE(connection->closed);
}

TEST_F(follower_reads, pulls_are_refused_without_slaveReadEnable) {
    config.follower_reads = false;
    set_up_messages(2);
    follow();
    EXPECT_EQ(pull(pull_of("T", 0)).code, code_of(response_code::service_not_available));
    config.follower_reads = true;
    EXPECT_EQ(pull(pull_of("T", 0)).code, 0);
}

// Stock clients repeat a refused pull at the same broker.
TEST_F(follower_reads, pulls_are_not_refused_with_a_failed_disk) {
    set_up_messages(2);
    follow();
    health_of_node.set(health::fenced, "the disk says no");
    EXPECT_EQ(pull(pull_of("T", 0)).messages().size(), 2U);
    expect_sent_to_leader(pull(pull_of("T", 2)), response_code::pull_not_found, 2);
}

class leader_of_readers : public follower_reads {
  protected:
    void lead_group(log_position matched) {
        fill(cluster);
        auto standing = cluster.now();
        standing.leader = "b";
        for (const auto* name : {"a", "c"})
            standing.followers[name] = {matched, 0ms, true, true};
        cluster.publish(standing);
    }
    testing::sent_frame pull_from_leader(std::uint32_t queue = 0, std::int32_t most = 2) {
        auto request = pull_of("T", 0);
        request.max_messages = most;
        request.queue = queue_number{queue};
        const auto consuming = connect();
        deliver(consumer(consuming), incoming{}.add(1, request));
        return consuming->only();
    }
};

TEST_F(leader_of_readers, a_consumer_that_is_far_behind_is_sent_to_a_follower) {
    set_up_messages(3);
    lead_group(view->marks().applied);
    const auto answer = pull_from_leader();
    EXPECT_EQ(answer.messages().size(), 2U) << "the answer has what was asked for all the same";
    EXPECT_EQ(answer.number("suggestWhichBrokerId"), 1);
    EXPECT_EQ(pull_from_leader(0, 3).number("suggestWhichBrokerId"), 0) << "it has caught up";
    EXPECT_EQ(pull_from_leader(1).number("suggestWhichBrokerId"), 0) << "an empty queue: the end";
}

TEST_F(leader_of_readers, but_not_when_no_follower_has_it_or_it_is_not_far_behind_or_not_wanted) {
    set_up_messages(3);
    lead_group(log_position{0});
    EXPECT_EQ(pull_from_leader().number("suggestWhichBrokerId"), 0);
    lead_group(view->marks().applied);
    config.entry_cache_bytes = 1U << 20U;
    EXPECT_EQ(pull_from_leader().number("suggestWhichBrokerId"), 0);
    config.entry_cache_bytes = 0;
    config.follower_reads = false;
    EXPECT_EQ(pull_from_leader().number("suggestWhichBrokerId"), 0);
    config.follower_reads = true;
    EXPECT_EQ(pull_from_leader().number("suggestWhichBrokerId"), 1);
}

// Traps T1 and T2: a code would be taken for an answer, and silence would be waited out.
TEST_F(leader_of_readers, who_leads_no_longer_closes_the_connection_instead_of_saying_what_is_not_there) {
    set_up_messages(2);
    lead_group(view->marks().applied);
    const auto ask_both = [&](bool is_answered) {
        const protocol::query_consumer_offset_request offset{"strangers", "T", queue_number{0}, {}};
        for (const auto& question : {incoming{}.add(1, offset), incoming{}.add(1, pull_of("T", 50))}) {
            const auto asking = connect();
            deliver(consumer(asking), question);
            EXPECT_EQ(asking->sent().size(), is_answered ? 1U : 0U);
            EXPECT_EQ(asking->closed.has_value(), !is_answered);
        }
    };
    ask_both(true);
    fail_flush();
    ask_both(false);
    caf::anon_send_exit(environment->log, caf::exit_reason::kill);
    settle();
    ask_both(false);
}

TEST_F(leader_of_readers, routes_name_the_followers_that_may_be_read) {
    set_up_messages(1);
    lead_group(view->marks().applied);
    cluster.lost("a");
    const auto asking = connect();
    ask_name_service(asking, incoming{}.add(1, protocol::get_route_info_request{.topic = "T"}));
    const auto route = protocol::decode_route(as_bytes(asking->only().body));
    ASSERT_TRUE(route.ok());
    EXPECT_THAT(route->brokers.at(0).addresses, ElementsAre(Pair(0, "b:1"), Pair(3, "c:1")));
}

// --- routes of a node that knows little
// -----------------------------------------------------------------------------------

// With a code clients would stay with this name server, and have the topic created with the defaults.
class routes_of_a_follower : public follower_reads {
  protected:
    // The answer's code; nothing: the connection was closed.
    std::optional<std::int32_t> ask_for(std::string_view topic) {
        const auto asking = connect();
        ask_name_service(asking, incoming{}.add(1, protocol::get_route_info_request{.topic = topic}));
        const auto answers = asking->sent();
        EXPECT_EQ(answers.empty(), asking->closed.has_value());
        return answers.empty() ? std::nullopt : std::optional{answers.front().code};
    }
    void stand(const std::string& leader, std::chrono::milliseconds leaderless_for, bool is_lagging) {
        auto standing = cluster.now();
        standing.leader = leader;
        standing.leaderless_for = leaderless_for;
        standing.is_lagging = is_lagging;
        cluster.publish(std::move(standing));
    }
    void SetUp() override {
        set_up_messages(1);
        follow();
    }
    static constexpr auto found = code_of(response_code::success);
    static constexpr auto unknown = code_of(response_code::topic_not_exist);
};

TEST_F(routes_of_a_follower, are_answered_as_the_leader_would_while_it_follows) {
    EXPECT_EQ(ask_for("T"), found);
    EXPECT_EQ(ask_for("new"), unknown);
    EXPECT_EQ(ask_for(protocol::auto_create_topic), found);
}

TEST_F(routes_of_a_follower, say_of_no_topic_that_it_does_not_exist_before_all_is_here_that_is_committed) {
    stand("a", 0ms, true);
    EXPECT_EQ(ask_for("new"), std::nullopt);
    EXPECT_EQ(ask_for("T"), found) << "it is here already";
    stand("", 10ms, true);
    EXPECT_EQ(ask_for("T"), std::nullopt);
    stand("a", 0ms, false);
    EXPECT_EQ(ask_for("new"), unknown);
}

TEST_F(routes_of_a_follower, are_not_given_without_a_leader_except_during_an_election) {
    stand("", config.election_timeout, false);
    EXPECT_EQ(ask_for("T"), found);
    EXPECT_EQ(ask_for("new"), unknown);
    stand("", config.election_timeout + 1ms, false);
    EXPECT_EQ(ask_for("T"), std::nullopt);
    EXPECT_EQ(ask_for("new"), std::nullopt);
    EXPECT_EQ(ask_for(protocol::auto_create_topic), std::nullopt);
    stand("c", 0ms, false);
    EXPECT_EQ(ask_for("T"), found);
}

// It was frozen, and others may have a leader by now.
TEST_F(routes_of_a_follower, are_not_given_by_a_node_that_stood_still) {
    cluster.publish(cluster.now(), cluster_view::clock::now() - config.election_timeout - 1s);
    EXPECT_EQ(ask_for("T"), std::nullopt);
    EXPECT_EQ(ask_for("new"), std::nullopt);
    const auto asking = connect();
    ask_name_service(asking, incoming{}.add(1, protocol::get_cluster_info_request{}));
    EXPECT_TRUE(asking->closed.has_value());
    cluster.publish(cluster.now());
    EXPECT_EQ(ask_for("T"), found);
}

} // namespace
} // namespace holdfast::actors
