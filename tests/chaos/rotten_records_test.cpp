// Records of the log that rot on one node of three are fetched from the others: by a start that would be
// refused without them, and by a node that serves. Nothing is cut, and the node stays the member it was.
#include "storage/log_scanner.hpp"
#include "storage/posix_file_system.hpp"
#include "tests/chaos/logs_agree.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr auto patience = 40s;
constexpr std::uint64_t segment_bytes = 1U << 20U;

class rotten_records : public ::testing::Test {
  protected:
    // Some segments of answered messages on all three. No checkpoint but that of a clean stop: a start looks
    // at the whole log.
    void SetUp() override {
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        const auto leader = group_.leader_broker();
        ASSERT_EQ(crash::make_topics(leader, book_), "");
        {
            crash::load clients{book_,
                                {.seed = 3,
                                 .broker_port = leader.port,
                                 .name_servers = group_.name_servers(),
                                 .largest_body = 4'000}};
            for (const auto deadline = clock::now() + patience;
                 !std::filesystem::exists(segment(0, 4)) && clock::now() < deadline;)
                std::this_thread::sleep_for(10ms);
        }
        ASSERT_TRUE(std::filesystem::exists(segment(0, 4)));
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
    }

    [[nodiscard]] std::filesystem::path segment(std::size_t node, std::uint64_t number) const {
        return group_.data(node) / "commitlog" /
               storage::segment_file_name(log_position{number * segment_bytes});
    }
    // Flips a bit of an entry of messages behind each of the positions, which rise: in turn in its body, in
    // its header, and in what leads readers from its first message to its beginning. Where the first one
    // begins.
    log_position rot(std::size_t node, const std::vector<std::uint64_t>& positions) {
        constexpr std::size_t kind_at = storage::entry_header_size + 20; // broker/command.hpp
        constexpr std::byte message{1};
        constexpr std::size_t least = 300; // so that all of the places are inside
        constexpr std::array<std::uint64_t, 3> offsets{200, 0, storage::entry_header_size + 4};
        storage::posix_file_system files;
        const auto log =
            storage::segment_set::open_read_only(files, (group_.data(node) / "commitlog").native());
        EXPECT_TRUE(log.ok());
        storage::log_scanner scanner{**log, {}, log_position{UINT64_MAX}};
        std::vector<log_position> found;
        while (found.size() < positions.size()) {
            const auto next = scanner.next();
            if (!next.ok() || !*next) {
                ADD_FAILURE() << "no entry behind " << positions[found.size()];
                return {};
            }
            const auto& header = (*next)->header;
            if (header.position.value() >= positions[found.size()] && header.length > least &&
                (*next)->bytes[kind_at] == message)
                found.push_back(header.position);
        }
        for (std::size_t i = 0; i < found.size(); ++i)
            flip(node, found[i] + offsets[i % offsets.size()]);
        return found.front();
    }
    void flip(std::size_t node, log_position at) const {
        std::fstream file{segment(node, at.value() / segment_bytes),
                          std::ios::in | std::ios::out | std::ios::binary};
        const auto offset = static_cast<std::streamoff>(at.value() % segment_bytes);
        file.seekg(offset);
        const auto byte = static_cast<char>(file.get() ^ 0x10);
        file.seekp(offset);
        file.put(byte);
    }

    [[nodiscard]] std::string incarnations() const {
        std::string all;
        const auto leader = group_.leader();
        const auto told = leader ? group_.status(*leader) : std::nullopt;
        if (told)
            for (const auto& member : told->members)
                all += member.name + " " + member.incarnation + (member.voter ? ", " : " learns, ");
        return all;
    }

    // Every message, in order; what can't be read is asked for again until it can.
    std::string read_all(const crash::server_address& broker) {
        crash::wire_client client{broker};
        const auto deadline = clock::now() + patience;
        for (std::uint32_t queue = 0; queue < static_cast<std::uint32_t>(book_.queues()); ++queue) {
            const auto most =
                client.ask(protocol::get_max_offset_request{.topic = "orders", .queue = queue_number{queue}});
            if (!most)
                return "no answer";
            const auto end = protocol::decode_header<protocol::offset_response>(most->command)->offset;
            for (queue_offset next{0}; next < end;) {
                const auto got =
                    client.ask(protocol::pull_message_request{.consumer_group = crash::ledger::group,
                                                              .topic = "orders",
                                                              .queue = queue_number{queue},
                                                              .offset = next,
                                                              .max_messages = 32,
                                                              .sys_flag = protocol::pull_flag::subscription,
                                                              .subscription = "*"});
                if (!got || clock::now() > deadline)
                    return "offset " + std::to_string(next.value()) + " can't be read";
                if (got->ok()) {
                    next = protocol::decode_header<protocol::pull_message_response>(got->command)
                               ->next_begin_offset;
                    continue;
                }
                ++refused_;
                std::this_thread::sleep_for(20ms);
            }
        }
        return {};
    }

    // Everything is there, the same on all three.
    void expect_nothing_lost() {
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        EXPECT_EQ(incarnations(), members_) << "another member than before";
        EXPECT_EQ(book_.verify(group_.leader_broker()), "");
        const auto told = group_.status(*group_.leader());
        ASSERT_TRUE(told.has_value());
        std::vector<std::filesystem::path> all;
        for (std::size_t node = 0; node < nodes; ++node) {
            EXPECT_EQ(group_.stop(node), "");
            all.push_back(group_.data(node));
        }
        EXPECT_EQ(logs_agree(all, told->watermarks.committed), "") << group_.logs();
        for (const auto& node : all)
            EXPECT_EQ(audited(node), "");
    }

    node_group group_{{"--mappedFileSizeCommitLog=1M", "--maxMessageSize=64K", "--entryCacheBytes=1M",
                       "--checkpointInterval=3600000", "--checkpointBytes=1G",
                       "--flushConsumerOffsetInterval=10", "--logLevel=info"}};
    crash::ledger book_{{"orders"}, 2};
    std::string members_;
    std::uint64_t refused_ = 0;
};

TEST_F(rotten_records, a_start_fetches_them_from_the_others) {
    members_ = incarnations();
    group_.kill(1);
    const auto first = rot(1, {segment_bytes / 2, 3 * segment_bytes / 2, 2 * segment_bytes + 100'000});
    group_.start(1);
    expect_nothing_lost();
    EXPECT_THAT(group_.logs(), HasSubstr("the log was rotten at [" + std::to_string(first.value())));
}

TEST_F(rotten_records, a_disk_that_does_not_take_them_ends_the_start) {
    members_ = incarnations();
    group_.kill(2);
    rot(2, {segment_bytes / 2});
    group_.start(2, {"--faultInjection=write:fail-after=0"});
    for (const auto deadline = clock::now() + patience; group_.running(2) && clock::now() < deadline;)
        std::this_thread::sleep_for(10ms);
    EXPECT_FALSE(group_.running(2));
    EXPECT_THAT(group_.logs(), HasSubstr("can't start: the log is damaged and could not be put right"));
    group_.start(2);
    expect_nothing_lost();
}

TEST_F(rotten_records, three_that_are_rotten_in_different_places_help_each_other) {
    members_ = incarnations();
    for (std::size_t node = 0; node < nodes; ++node)
        group_.kill(node);
    for (std::size_t node = 0; node < nodes; ++node)
        rot(node, {(node + 1) * segment_bytes / 2});
    // Alone it can only wait, and be told to stop.
    group_.start(0);
    const auto waits = [this] {
        return group_.logs().find("the other nodes are asked") != std::string::npos;
    };
    for (const auto deadline = clock::now() + patience; !waits() && clock::now() < deadline;)
        std::this_thread::sleep_for(10ms);
    ASSERT_TRUE(waits());
    EXPECT_EQ(group_.stop(0), "");
    for (std::size_t node = 0; node < nodes; ++node)
        group_.start(node);
    expect_nothing_lost();
}

TEST_F(rotten_records, a_node_that_serves_fetches_what_it_meets) {
    members_ = incarnations();
    // Nothing of it shall be in memory.
    for (std::size_t node = 0; node < nodes; ++node)
        ASSERT_EQ(group_.stop(node), "");
    for (std::size_t node = 0; node < nodes; ++node)
        group_.start(node);
    ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
    const auto leader = group_.leader();
    ASSERT_TRUE(leader.has_value());
    const auto first = rot(*leader, {200'000, 600'000, segment_bytes + 300'000});
    EXPECT_EQ(read_all(group_.leader_broker()), "") << group_.logs();
    EXPECT_GT(refused_, 0U) << "nothing rotten is served";
    EXPECT_THAT(group_.logs(), HasSubstr("the log was rotten at [" + std::to_string(first.value())));
    expect_nothing_lost();
}

} // namespace
} // namespace holdfast::chaos
