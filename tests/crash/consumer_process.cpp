#include "tests/crash/consumer_process.hpp"

#include "base/check.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::crash {
namespace {

std::string from_hex(const std::string& text) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2)
        bytes += static_cast<char>(std::stoi(text.substr(at, 2), nullptr, 16));
    return bytes;
}

told_delivery parse(const std::string& line) {
    std::istringstream words{line};
    told_delivery one;
    char says = 0;
    std::string body;
    words >> says >> one.from.topic >> one.from.queue >> one.offset >> one.began_ns >> one.ended_ns >> body;
    HOLDFAST_CHECK(!words.fail());
    one.says = word{says};
    one.body = from_hex(body);
    return one;
}

const char* name_of(member_mode mode) {
    return mode == member_mode::restless ? "restless" : mode == member_mode::calm ? "calm" : "ordered";
}

} // namespace

consumer_process::consumer_process(const std::string& name_servers, const std::string& group,
                                   const std::string& topic, const std::string& client_id, member_mode mode,
                                   listener told)
    : told_(std::move(told)) {
    std::array<std::string, 6> words{HOLDFAST_CONSUMER, name_servers, group, topic, client_id, name_of(mode)};
    std::array<char*, 7> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i)
        arguments[i] = words[i].data();
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    HOLDFAST_CHECK(::pipe2(input.data(), O_CLOEXEC) == 0 && ::pipe2(output.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    HOLDFAST_CHECK(pid_ >= 0);
    if (pid_ == 0) {
        // Only calls that are safe between fork and exec in a process with threads.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(input[0], STDIN_FILENO);
        ::dup2(output[1], STDOUT_FILENO);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    reader_ = std::thread{[this, from = output[0]] { read(from); }};
}

// Until the process has ended; a line that it did not write to its end it did not act on.
void consumer_process::read(int output) {
    std::string text;
    std::array<char, 16'384> chunk;
    for (ssize_t count = 0; (count = ::read(output, chunk.data(), chunk.size())) > 0;) {
        text.append(chunk.data(), static_cast<std::size_t>(count));
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
            told_(parse(text.substr(begin, end - begin)));
        text.erase(0, begin);
    }
    ::close(output);
}

int consumer_process::wait() {
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    reader_.join();
    if (input_ >= 0)
        ::close(input_);
    input_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void consumer_process::kill() {
    if (pid_ < 0)
        return;
    ::kill(pid_, SIGKILL);
    (void)wait();
}

bool consumer_process::leave() {
    ::close(input_);
    input_ = -1;
    return wait() == 0;
}

} // namespace holdfast::crash
