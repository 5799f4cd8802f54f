// A leader whose disk is full lets another node lead; and disks that really run full, of a follower and of a
// leader, under load.
#include "client/producer.hpp"
#include "tests/chaos/group_load.hpp"
#include "tests/chaos/logs_agree.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/load.hpp"
#include "tests/support/own_namespaces.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <sched.h>
#include <thread>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using testing::run_script;
using testing::wait_for;

constexpr auto patience = 60s;
constexpr const char* no_space = "No space left on device";

// A file system of its own for one node's data: in memory, and small. Mounts are this process's alone.
class small_disk {
  public:
    explicit small_disk(const std::filesystem::path& at) : at_(at) {
        std::filesystem::create_directories(at);
        problem_ = run_script("mount -t tmpfs -o size=320m none " + at_.string());
    }
    small_disk(const small_disk&) = delete;
    small_disk& operator=(const small_disk&) = delete;
    ~small_disk() { (void)run_script("umount -l " + at_.string()); }

    [[nodiscard]] const std::string& problem() const { return problem_; }
    // Most of it at once. Somebody may take of it meanwhile, so the rest is filled in small steps, as far as
    // it goes.
    void fill() {
        const auto most = std::filesystem::space(at_).available * 9 / 10;
        const auto file = (at_ / "filler").string();
        EXPECT_EQ(run_script("fallocate -l " + std::to_string(most) + " " + file), "");
        (void)run_script("cat /dev/zero >> " + file + " 2> /dev/null");
    }
    void leave(std::uint64_t bytes) {
        const auto rest = std::filesystem::space(at_).available - bytes;
        EXPECT_EQ(run_script("fallocate -l " + std::to_string(rest) + " " + (at_ / "filler").string()), "");
    }
    void make_room() { std::filesystem::remove(at_ / "filler"); }

  private:
    const std::filesystem::path at_;
    std::string problem_;
};

std::string private_mounts() {
    auto problem = testing::enter_own_namespaces(CLONE_NEWNS);
    return problem.empty() ? run_script("mount --make-rprivate /") : problem;
}

using small_disks = std::array<std::optional<small_disk>, nodes>;

void start_on(small_disks& disks, node_group& group) {
    for (std::size_t node = 0; node < nodes; ++node) {
        disks[node].emplace(group.data(node));
        ASSERT_EQ(disks[node]->problem(), "");
        group.start(node);
    }
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
}

TEST(full_disk, of_a_leader_makes_another_node_lead) {
    node_group group{{}};
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node);
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    const auto full = group.leader();
    ASSERT_TRUE(full);
    // It has most of the log. So it leads again, since the others wait too long for being elected first.
    for (std::size_t node = 0; node < nodes; ++node)
        group.kill(node);
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node, {node == *full ? "--faultInjection=space:full" : "--electionTimeout=20000"});
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    ASSERT_EQ(group.leader(), full) << group.logs();

    EXPECT_TRUE(wait_for(patience, [&] { return group.leader() != full && group.leader(); })) << group.logs();
    client::producer producer{
        {.client = {.name_servers = group.name_servers()}, .send_timeout = 20s, .retries = 100}};
    ASSERT_TRUE(producer.start().ok());
    const auto sent = producer.send({.topic = "full", .body = "taken"});
    EXPECT_TRUE(sent.ok()) << group.logs();
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    EXPECT_NE(group.leader(), full) << "it does not come back";
}

// It stops before the kernel has to say no, is left behind, and needs nobody's hand when there is room again.
// A leader that has no other followers says so.
TEST(full_disk, of_a_follower_is_not_written_to_the_end) {
    if (const auto why_not = private_mounts(); !why_not.empty()) {
        std::printf("WARNING: no mounts of one's own here (%s): NOT TESTED\n", why_not.c_str());
        return;
    }
    node_group group{
        {"--mappedFileSizeCommitLog=1M", "--maxMessageSize=64K", "--entryCacheBytes=1M", "--logLevel=info"}};
    small_disks disks;
    start_on(disks, group);
    ASSERT_FALSE(HasFatalFailure());
    const auto leader = group.leader();
    ASSERT_TRUE(leader);
    const auto victim = (*leader + 1) % nodes;
    const auto other = (*leader + 2) % nodes;
    const auto leave_little = [&](std::size_t node) {
        disks[node]->leave(24U << 20U);
        EXPECT_TRUE(wait_for(patience, [&] {
            return group.log_of(node).find("takes nothing more from its leader") != std::string::npos;
        })) << group.logs();
    };
    leave_little(victim);
    const auto before = group.status(victim);
    ASSERT_TRUE(before);
    client::producer producer{{.client = {.name_servers = group.name_servers()}, .compress_over_bytes = 0}};
    ASSERT_TRUE(producer.start().ok());
    for (int number = 0; number < 200; ++number)
        ASSERT_TRUE(producer.send({.topic = "short", .body = std::string(60'000, 'x')}).ok()) << group.logs();
    EXPECT_EQ(group.leader(), leader) << "nobody was disturbed";
    const auto behind = group.status(victim);
    ASSERT_TRUE(behind);
    EXPECT_LT(behind->watermarks.appended - before->watermarks.appended, 4U << 20U);

    leave_little(other);
    client::producer impatient{{.client = {.name_servers = group.name_servers()},
                                .send_timeout = 1s,
                                .retries = 0,
                                .compress_over_bytes = 0}};
    ASSERT_TRUE(impatient.start().ok());
    const auto send = [&] { return impatient.send({.topic = "short", .body = std::string(60'000, 'x')}); };
    EXPECT_TRUE(wait_for(patience, [&] {
        const auto sent = send();
        return !sent.ok() && sent.failure().response_code == 14 &&
               sent.failure().message.find("a majority of the group's nodes") != std::string::npos;
    })) << group.logs();
    EXPECT_EQ(group.leader(), leader);
    for (const auto node : {victim, other})
        disks[node]->make_room();
    EXPECT_TRUE(wait_for(patience, [&] { return send().ok(); })) << group.logs();
    EXPECT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    EXPECT_EQ(group.log_of(victim).find("takes no more messages"), std::string::npos);
}

// The kernel says ENOSPC to whatever the node writes next.
TEST(full_disk, that_runs_full_under_load_costs_nothing_that_was_answered) {
    if (const auto why_not = private_mounts(); !why_not.empty()) {
        std::printf("WARNING: no mounts of one's own here (%s): NOT TESTED\n", why_not.c_str());
        return;
    }
    node_group group{{"--mappedFileSizeCommitLog=1M", "--maxMessageSize=64K", "--entryCacheBytes=1M",
                      "--flushConsumerOffsetInterval=10", "--logLevel=info"}};
    small_disks disks;
    start_on(disks, group);
    ASSERT_FALSE(HasFatalFailure());
    crash::ledger book{{"orders"}, 2};
    ASSERT_EQ(crash::make_topics(group.leader_broker(), book), "");
    group_load load{book, 5, group.name_servers(), [&] { return group.leader_broker(); }};
    for (const bool of_leader : {false, true}) {
        ASSERT_TRUE(wait_for(patience, [&, before = load.sends_answered_ok()] {
            return load.sends_answered_ok() > before + 500;
        }));
        const auto leader = group.leader();
        ASSERT_TRUE(leader);
        const auto victim = of_leader ? *leader : (*leader + 1) % nodes;
        (void)load.take_longest_gap();
        disks[victim]->fill();
        EXPECT_TRUE(wait_for(patience, [&] {
            return group.log_of(victim).find(no_space) != std::string::npos;
        })) << group.logs();
        EXPECT_TRUE(wait_for(
            patience,
            [&, before = load.sends_answered_ok()] { return load.sends_answered_ok() > before + 500; }))
            << "the other two do not go on\n"
            << group.logs();
        std::printf("the %s's disk ran full: longest gap %lld ms\n", of_leader ? "leader" : "follower",
                    static_cast<long long>(load.take_longest_gap().count()));
        disks[victim]->make_room();
        group.kill(victim);
        group.start(victim);
        ASSERT_EQ(group.wait_until_whole(64U << 10U, patience), "") << group.logs();
    }
    load.stop();
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    EXPECT_EQ(book.verify(group.leader_broker()), "") << group.logs();
    const auto told = group.status(*group.leader());
    ASSERT_TRUE(told);
    std::vector<std::filesystem::path> all;
    for (std::size_t node = 0; node < nodes; ++node) {
        EXPECT_EQ(group.stop(node), "");
        all.push_back(group.data(node));
    }
    EXPECT_EQ(logs_agree(all, told->watermarks.committed), "") << group.logs();
    for (const auto& node : all)
        EXPECT_EQ(audited(node), "");
}

} // namespace
} // namespace holdfast::chaos
