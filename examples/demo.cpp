// The three places where a message can get lost, and a program that dies in each of them:
//
//     1. before the broker has it     a payment is committed in a database, its program killed before it
//     tells
//     2. inside the broker            the broker is killed with -9 under load, again and again
//     3. after the broker gave it     a consumer is killed while it works
//
// Then the ledger: what was sent, answered OK, delivered and acknowledged; nothing may be missing.
//
//     build/examples/demo [--quick] [--holdfast PROGRAM]     exit status 0: nothing lost, nothing wrongly
//     seen
//
// All processes are real and its own: this program again with a role (demo_roles.hpp), and `holdfast serve`
// on free ports of 127.0.0.1 over a temporary directory.
#include "examples/demo_ledger.hpp"
#include "examples/demo_roles.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace holdfast;
using clock_type = std::chrono::steady_clock;

const auto beginning = clock_type::now();

void tell(const std::string& what) {
    const std::chrono::duration<double> since = clock_type::now() - beginning;
    std::printf("%5.1f s  %s\n", since.count(), what.c_str());
    std::fflush(stdout);
}

double seconds_since(clock_type::time_point when) {
    return std::chrono::duration<double>{clock_type::now() - when}.count();
}

std::string rounded(double value) {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
}

// A child process and what it writes. It ends with this object, and dies with this program.
class process {
  public:
    using reader = std::function<void(const std::string& line)>;

    process(std::vector<std::string> words, reader read) {
        std::array<int, 2> input{};
        std::array<int, 2> output{};
        if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0)
            throw std::runtime_error{"no pipe for a process"};
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        const auto parent = ::getpid();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent)
                ::_exit(127);
            ::dup2(input[0], STDIN_FILENO);
            ::dup2(output[1], STDOUT_FILENO);
            ::dup2(output[1], STDERR_FILENO);
            ::execv(arguments[0], arguments.data());
            ::_exit(127);
        }
        ::close(input[0]);
        ::close(output[1]);
        input_ = input[1];
        reading_ = std::thread{[from = output[0], read = std::move(read)] {
            std::string text;
            std::array<char, 4096> chunk;
            for (ssize_t count = 0; (count = ::read(from, chunk.data(), chunk.size())) > 0;) {
                text.append(chunk.data(), static_cast<std::size_t>(count));
                for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;
                     text.erase(0, end + 1))
                    read(text.substr(0, end));
            }
            ::close(from);
        }};
    }
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() { kill(); }

    void kill() { end(SIGKILL); }
    // Politely: its input ends; a broker gets SIGTERM.
    int finish(int signal = 0) { return end(signal); }

  private:
    int end(int signal) {
        if (pid_ <= 0)
            return 0;
        ::close(input_);
        if (signal != 0)
            ::kill(pid_, signal);
        int status = -1;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        reading_.join();
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    pid_t pid_ = -1;
    int input_ = -1;
    std::thread reading_;
};

template <class Done>
bool wait_for(const Done& done, std::chrono::seconds most) {
    const auto until = clock_type::now() + most;
    while (!done()) {
        if (clock_type::now() > until)
            return false;
        std::this_thread::sleep_for(20ms);
    }
    return true;
}

class story {
  public:
    story(std::string self, std::string holdfast, bool quick)
        : self_(std::move(self)), holdfast_(std::move(holdfast)), quick_(quick) {
        auto name = (std::filesystem::temp_directory_path() / "holdfast-demo-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{"can't make a directory under " + name};
        home_ = name;
    }
    ~story() {
        readers_.clear();
        payer_.reset();
        sender_.reset();
        broker_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(home_, ignored);
    }
    story(const story&) = delete;
    story& operator=(const story&) = delete;

    int play() {
        start_broker();
        tell("the broker runs, every answer it gives is on the disk first (" + name_servers_ + ")");
        readers_.push_back(start({"consume", name_servers_}));
        sender_ = start({"produce", name_servers_, "order"});
        tell("a producer sends orders all the time, a consumer works on them");
        before_the_broker();
        inside_the_broker();
        after_the_broker();
        return settle();
    }

  private:
    std::unique_ptr<process> start(std::vector<std::string> role) {
        role.insert(role.begin(), {self_, "role"});
        return std::make_unique<process>(role, [this](const std::string& line) { ledger_.note(line); });
    }

    void start_broker() {
        auto ready = std::make_shared<std::promise<std::string>>();
        auto told = std::make_shared<bool>(false);
        const auto port = [this](const char* option, const std::string& known) {
            return option + (known.empty() ? std::string{"0"} : known);
        };
        broker_ = std::make_unique<process>(
            std::vector<std::string>{holdfast_, "serve", "--storePathRootDir=" + (home_ / "data").string(),
                                     port("--namesrvPort=", name_service_port_),
                                     port("--listenPort=", broker_port_), "--transactionTimeOut=1000",
                                     "--transactionCheckInterval=500", "--mappedFileSizeCommitLog=64M",
                                     "--checkpointInterval=1000"},
            [ready, told](const std::string& line) {
                if (!*told && line.starts_with("ready: ")) {
                    *told = true;
                    ready->set_value(line);
                }
            });
        auto line = ready->get_future();
        if (line.wait_for(20s) != std::future_status::ready)
            throw std::runtime_error{"the broker does not start: " + holdfast_};
        // ready: name service 127.0.0.1:9876, broker 127.0.0.1:10911
        const auto text = line.get();
        const auto comma = text.find(',');
        name_service_port_ = text.substr(text.rfind(':', comma) + 1, comma - text.rfind(':', comma) - 1);
        broker_port_ = text.substr(text.rfind(':') + 1);
        name_servers_ = "127.0.0.1:" + name_service_port_;
    }

    void before_the_broker() {
        const int count = quick_ ? 6 : 20;
        const int stop_at = quick_ ? 4 : 16;
        const auto id = "payment-" + std::to_string(stop_at);
        const auto database = (home_ / "orders.db").string();
        tell("1. BEFORE THE BROKER: payments, each a row in a database and a transactional message");
        payer_ = start({"pay", name_servers_, database, std::to_string(count), std::to_string(stop_at)});
        wait_for([&] { return ledger_.has("decided", id); }, 20s);
        payer_->kill();
        tell("   killed the paying program: " + id + " is in the database, and the broker was never told");
        const auto killed = clock_type::now();
        payer_ = start({"pay", name_servers_, database, "0", "0"});
        if (wait_for([&] { return ledger_.has("done", id); }, 20s))
            tell("   the broker asked its successor, who looked into the database: " + id +
                 " was delivered after " + rounded(seconds_since(killed)) + " s");
        explain(id);
    }

    void inside_the_broker() {
        tell("2. INSIDE THE BROKER: kill -9 under load");
        for (int round = 0; round < (quick_ ? 1 : 3); ++round) {
            std::this_thread::sleep_for(quick_ ? 500ms : 2'000ms);
            broker_->kill();
            const auto answered = ledger_.add_up().answered;
            const auto killed = clock_type::now();
            tell("   killed the broker after " + std::to_string(answered) + " answers");
            start_broker();
            const bool back = wait_for([&] { return ledger_.add_up().answered > answered + 10; }, 20s);
            tell(back ? "   it answers again, " + rounded(seconds_since(killed)) + " s after it died"
                      : "   it does not answer again");
        }
    }

    void after_the_broker() {
        tell("3. AFTER THE BROKER: a consumer dies while it works");
        for (int round = 0; round < (quick_ ? 1 : 2); ++round) {
            std::this_thread::sleep_for(quick_ ? 300ms : 1'000ms);
            const auto before = ledger_.add_up();
            readers_.clear(); // kill -9
            tell("   killed the consumer after it had acknowledged " + std::to_string(before.done) +
                 " messages");
            readers_.push_back(start({"consume", name_servers_}));
            wait_for([&] { return ledger_.add_up().done > before.done + 10; }, 20s);
        }
        tell("   another one goes on where it was");
    }

    // No more sends; everything that is owed arrives; the sums.
    int settle() {
        sender_->finish();
        tell("no more orders; the consumer works off what is left");
        wait_for([&] { return ledger_.add_up().lost == 0; }, 30s);
        payer_->finish();
        for (const auto& reader : readers_)
            reader->finish();
        broker_->finish(SIGTERM);
        const auto sums = ledger_.add_up();
        tell("the ledger");
        const auto line = [](const char* what, std::size_t count, const char* remark) {
            std::printf("           %-14s %8zu   %s\n", what, count, remark);
        };
        line("sent", sums.sent, "");
        line("answered OK", sums.answered, "what was not answered may have arrived or not");
        line("rolled back", sums.refused, "the database said no");
        line("delivered", sums.delivered, "");
        line("acknowledged", sums.done, "");
        line("lost", sums.lost, sums.lost == 0 ? "" : sums.example_lost.c_str());
        line("duplicated", sums.duplicates,
             "delivered again after a process died: at least once, never less");
        line("wrongly seen", sums.wrongly_seen, "rolled back, and delivered all the same");
        std::fflush(stdout);
        const int audited = audit();
        tell(sums.good() ? "nothing was lost" : "SOMETHING IS WRONG");
        return sums.good() && audited == 0 ? 0 : 1;
    }

    static void show(const std::string& line) { std::printf("           %s\n", line.c_str()); }

    void explain(const std::string& key) {
        tell("   $ holdfast explain " + key);
        wait_for(
            [&] {
                return process{{holdfast_, "explain", key, "-n", name_servers_}, [](const auto&) {}}
                           .finish() == 0;
            },
            5s);
        process{{holdfast_, "explain", key, "-n", name_servers_}, show}.finish();
    }
    int audit() {
        tell("$ holdfast audit DATA");
        return process{{holdfast_, "audit", (home_ / "data").string()}, show}.finish();
    }

    const std::string self_;
    const std::string holdfast_;
    const bool quick_;
    std::filesystem::path home_;
    demo::ledger ledger_;
    std::string name_servers_;
    std::string name_service_port_;
    std::string broker_port_;
    std::unique_ptr<process> broker_;
    std::unique_ptr<process> sender_;
    std::unique_ptr<process> payer_;
    std::vector<std::unique_ptr<process>> readers_;
};

int play_role(const std::vector<std::string>& words) {
    if (words[0] == "produce" && words.size() == 3)
        return demo::produce(words[1], words[2]);
    if (words[0] == "pay" && words.size() == 5)
        return demo::pay(words[1], words[2], std::stoi(words[3]), std::stoi(words[4]));
    if (words[0] == "consume" && words.size() == 2)
        return demo::consume(words[1]);
    return 2;
}

} // namespace

int main(int count, char** arguments) {
    std::vector<std::string> words(arguments + 1, arguments + count);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        if (words.size() > 1 && words[0] == "role")
            return play_role({words.begin() + 1, words.end()});
        const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
        auto holdfast = (self.parent_path().parent_path() / "holdfast").string();
        bool quick = false;
        for (std::size_t index = 0; index < words.size(); ++index) {
            if (words[index] == "--quick") {
                quick = true;
            } else if (words[index] == "--holdfast" && index + 1 < words.size()) {
                holdfast = words[++index];
            } else {
                std::cerr << "usage: demo [--quick] [--holdfast PROGRAM]\n";
                return 2;
            }
        }
        return story{self.string(), holdfast, quick}.play();
    } catch (const std::exception& failure) {
        std::cerr << "demo: " << failure.what() << '\n';
        return 1;
    }
}
