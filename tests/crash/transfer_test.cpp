// examples/transfer.cpp under kill -9: sender, receiver and broker die again and again at any moment, and in
// the end the sums of the two banks agree.
//
//   HOLDFAST_CRASH_SEED     the story's seed; printed
#include "tests/crash/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using testing::broker_process;
using ::testing::HasSubstr;

// One process of the example. Its standard input stays open until the end, so it works until it is killed.
class transfer_process {
  public:
    transfer_process(const std::filesystem::path& output, std::vector<std::string> words) : output_(output) {
        int input[2];
        EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
        input_ = input[1];
        words.insert(words.begin(), HOLDFAST_TRANSFER);
        std::vector<char*> arguments;
        for (std::string& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(input[0], STDIN_FILENO);
            ::dup2(out, STDOUT_FILENO);
            ::dup2(out, STDERR_FILENO);
            ::execv(arguments[0], arguments.data());
            ::_exit(127);
        }
        ::close(input[0]);
        ::close(out);
    }
    transfer_process(const transfer_process&) = delete;
    transfer_process& operator=(const transfer_process&) = delete;
    ~transfer_process() {
        if (pid_ > 0)
            ::kill(pid_, SIGKILL);
        wait();
        ::close(input_);
    }
    int wait() {
        int status = -1;
        if (pid_ > 0)
            ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    std::filesystem::path output_;
    int input_ = -1;
    pid_t pid_ = -1;
};

std::string text_of(const std::filesystem::path& file) {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
}

class transfers_under_fire : public ::testing::Test {
  protected:
    static constexpr auto start_money = "100000";
    enum part : std::size_t { sender, receiver, the_broker };

    void SetUp() override {
        const char* given = std::getenv("HOLDFAST_CRASH_SEED");
        const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        random_.seed(seed);
        ASSERT_EQ(run({"open", from(), start_money}), 0);
        ASSERT_EQ(run({"open", to(), "0"}), 0);
        start_broker();
        ASSERT_TRUE(broker_->ready()) << broker_->log();
    }
    [[nodiscard]] std::string from() const { return (files_.path() / "from.db").string(); }
    [[nodiscard]] std::string to() const { return (files_.path() / "to.db").string(); }
    [[nodiscard]] std::filesystem::path log_of(const char* who) const { return files_.path() / who; }

    int run(const std::vector<std::string>& words) {
        std::filesystem::remove(log_of("short"));
        return transfer_process{log_of("short"), words}.wait();
    }
    // On the same ports each time: that is where the clients look for it.
    void start_broker() {
        std::vector<std::string> more{"--transactionTimeOut=300", "--transactionCheckInterval=300",
                                      "--messageDelayLevel=1s"};
        if (broker_) {
            more.push_back("--listenPort=" + std::to_string(broker_->broker_port()));
            more.push_back("--namesrvPort=" + std::to_string(broker_->name_service_port()));
        }
        broker_.reset();
        broker_.emplace(small_broker(data_, more));
    }
    void start_sender(const std::string& count) {
        sender_.reset();
        sender_.emplace(log_of("sender"),
                        std::vector<std::string>{"send", from(), count, broker_->name_servers()});
    }
    void start_receiver() {
        receiver_.reset();
        receiver_.emplace(log_of("receiver"),
                          std::vector<std::string>{"receive", to(), broker_->name_servers()});
    }
    void kill_one() {
        switch (random_() % 3) {
        case sender:
            return start_sender("1000000");
        case receiver:
            return start_receiver();
        default:
            broker_->kill();
            start_broker();
        }
    }
    std::string logs() {
        return "sender:\n" + text_of(log_of("sender")) + "receiver:\n" + text_of(log_of("receiver")) +
               "broker:\n" + broker_->log();
    }

    std::mt19937_64 random_;
    testing::temporary_directory files_;
    testing::temporary_directory data_;
    std::optional<broker_process> broker_;
    std::optional<transfer_process> sender_;
    std::optional<transfer_process> receiver_;
};

TEST_F(transfers_under_fire, agree_in_the_end) {
    start_sender("1000000");
    start_receiver();
    const auto fire_until = clock::now() + 6s;
    int killed = 0;
    while (clock::now() < fire_until) {
        std::this_thread::sleep_for(std::chrono::milliseconds{50 + random_() % 500});
        kill_one();
        ASSERT_TRUE(broker_->ready()) << broker_->log();
        ++killed;
    }
    // No more transfers: what is open is asked for, decided and delivered.
    start_sender("0");
    start_receiver();
    int outcome = -1;
    const auto patience = clock::now() + 20s;
    while (outcome != 0 && clock::now() < patience) {
        std::this_thread::sleep_for(100ms);
        outcome = run({"sums", from(), to()});
    }
    const std::string sums = text_of(log_of("short"));
    std::printf("%d kills; %s", killed, sums.c_str());
    EXPECT_EQ(outcome, 0) << sums << logs();
    EXPECT_THAT(sums, HasSubstr(std::string{" = "} + start_money + ","));
    EXPECT_THAT(sums, ::testing::Not(HasSubstr("+ 0 ="))) << "money has moved\n" << logs();
}

} // namespace
} // namespace holdfast::crash
