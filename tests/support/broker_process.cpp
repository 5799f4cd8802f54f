#include "tests/support/broker_process.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace holdfast::testing {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_again{2};

template <class Done>
bool wait_until(std::chrono::milliseconds timeout, const Done& done) {
    const auto deadline = clock::now() + timeout;
    while (!done()) {
        if (clock::now() >= deadline)
            return false;
        std::this_thread::sleep_for(look_again);
    }
    return true;
}

} // namespace

temporary_directory::temporary_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
    HOLDFAST_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

temporary_directory::~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

broker_process::broker_process(const broker_options& options) {
    auto words = options.command;
    words.emplace_back(HOLDFAST_BINARY);
    words.emplace_back("serve");
    words.push_back("--storePathRootDir=" + options.data.string());
    for (const std::string port : {"--listenPort=", "--namesrvPort="})
        if (std::none_of(options.settings.begin(), options.settings.end(),
                         [&](const auto& setting) { return setting.starts_with(port); }))
            words.push_back(port + "0");
    words.insert(words.end(), options.settings.begin(), options.settings.end());
    start(words);
    read_ready_line(options.start_timeout);
    find_broker();
}

broker_process::~broker_process() {
    kill();
}

void broker_process::start(const std::vector<std::string>& words) {
    const auto file = (output_.path() / "output").string();
    std::vector<std::string> copies = words;
    std::vector<char*> arguments;
    for (auto& word : copies)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    HOLDFAST_CHECK(pid_ >= 0);
    if (pid_ != 0)
        return;
    // Only calls that are safe between fork and exec in a process with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int output = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
}

void broker_process::read_ready_line(std::chrono::milliseconds timeout) {
    (void)wait_until(timeout, [this] {
        const auto text = log();
        const auto at = text.find("ready: name service ");
        unsigned names = 0;
        unsigned broker = 0;
        if (at != std::string::npos && text.find('\n', at) != std::string::npos &&
            std::sscanf(text.c_str() + at, "ready: name service %*[0-9.]:%u, broker %*[0-9.]:%u", &names,
                        &broker) == 2) {
            name_service_port_ = static_cast<std::uint16_t>(names);
            broker_port_ = static_cast<std::uint16_t>(broker);
        }
        return ready() || !running();
    });
}

// strace and the like have the broker as their only child.
void broker_process::find_broker() {
    broker_pid_ = pid_;
    const auto pid = std::to_string(pid_);
    std::ifstream children{"/proc/" + pid + "/task/" + pid + "/children"};
    if (pid_t child = 0; children >> child)
        broker_pid_ = child;
}

std::string broker_process::name_servers() const {
    return "127.0.0.1:" + std::to_string(name_service_port_);
}

void broker_process::reaped(int status) {
    pid_ = -1;
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool broker_process::running() {
    if (pid_ < 0)
        return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_)
        reaped(status);
    return pid_ >= 0;
}

void broker_process::kill() {
    if (!running())
        return;
    // A tracer that dies first lets its child go on.
    if (broker_pid_ > 0)
        ::kill(broker_pid_, SIGKILL);
    if (broker_pid_ != pid_ && !wait_until(std::chrono::seconds{5}, [this] { return !running(); }))
        ::kill(pid_, SIGKILL);
    if (pid_ < 0)
        return;
    int status = 0;
    if (::waitpid(pid_, &status, 0) == pid_)
        reaped(status);
}

int broker_process::terminate(std::chrono::milliseconds timeout) {
    if (running())
        ::kill(broker_pid_, SIGTERM);
    return wait(timeout);
}

int broker_process::wait(std::chrono::milliseconds timeout) {
    if (!wait_until(timeout, [this] { return !running(); }))
        kill();
    return exit_status_;
}

std::string broker_process::log() const {
    std::ifstream file{output_.path() / "output"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

bool broker_process::says(const std::string& words, std::chrono::milliseconds timeout) const {
    return wait_until(timeout, [&] { return log().find(words) != std::string::npos; });
}

} // namespace holdfast::testing
